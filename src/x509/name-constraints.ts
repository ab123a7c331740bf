import type { DerElement } from "./der.ts";
import { DerFields } from "./der-fields.ts";
import { type GeneralName, NAME_FORM, parseGeneralName } from "./general-name.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";

/** Which names an authority may sign for (RFC 5280 4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** The names of a certificate that constraints apply to. */
export interface ConstrainedNames {
  readonly names: readonly GeneralName[];
  /** The subject's DER: it counts as a directory name unless it is empty. */
  readonly subject: Buffer;
}

const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;

/** The DER of a name without any parts. */
const EMPTY_SUBJECT_BYTES = 2;

/** Reads a nameConstraints extension. Throws MalformedDer. */
export function parseNameConstraints(element: DerElement): NameConstraints {
  const fields = new DerFields(element, "nameConstraints");
  const permitted = subtrees(fields.maybe(PERMITTED));
  const excluded = subtrees(fields.maybe(EXCLUDED));
  fields.end();
  return { permitted, excluded };
}

function subtrees(element: DerElement | undefined): GeneralName[] {
  return (element?.children ?? []).map((subtree) => {
    const fields = new DerFields(subtree, "a subtree of nameConstraints");
    const base = fields.any();
    fields.end(); // RFC 5280 allows neither minimum nor maximum.
    return parseGeneralName(base);
  });
}

/**
 * Whether every name is one that the constraints allow. URIs are compared; for any other form that is constrained we
 * can't tell, so a certificate that has a name of that form is not allowed.
 */
export function allowsNames(constraints: NameConstraints, child: ConstrainedNames): boolean {
  const constrained = new Set([...constraints.permitted, ...constraints.excluded].map((name) => name.form));
  if (child.subject.length > EMPTY_SUBJECT_BYTES && constrained.has(NAME_FORM.directory)) return false;
  return child.names.every((name) => {
    if (!constrained.has(name.form)) return true;
    return name.form === NAME_FORM.uri && allowsUri(constraints, name.value);
  });
}

function allowsUri({ permitted, excluded }: NameConstraints, uri: Buffer): boolean {
  const host = hostOf(uri);
  if (host === undefined || uris(excluded).some((base) => covers(base, host))) return false;
  const allowed = uris(permitted);
  return allowed.length === 0 || allowed.some((base) => covers(base, host));
}

function uris(names: readonly GeneralName[]): string[] {
  return names.filter((name) => name.form === NAME_FORM.uri).map((name) => name.value.toString("latin1").toLowerCase());
}

/** Undefined for a URI that is no SPIFFE ID: we can't say which host it has, and an attacker may wish us to guess. */
function hostOf(uri: Buffer): string | undefined {
  try {
    return SpiffeId.parse(uri).trustDomain.name;
  } catch {
    return undefined;
  }
}

/** RFC 5280 4.2.1.10: a leading period means any host below, none means that one host, and nothing means all hosts. */
function covers(base: string, host: string): boolean {
  if (base === "") return true;
  return base.startsWith(".") ? host.endsWith(base) : host === base;
}
