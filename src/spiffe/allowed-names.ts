import { type GeneralName, NAME_FORM } from "../x509/general-name.ts";
import type { NameConstraints } from "../x509/name-constraints.ts";
import { SpiffeId } from "./spiffe-id.ts";

/** The names of a certificate to which name constraints apply. */
export interface ConstrainedNames {
  readonly names: readonly GeneralName[];
  /** The subject in DER. It counts as a directory name unless it is empty. */
  readonly subject: Buffer;
}

/** The length in DER of an empty name. */
const EMPTY_SUBJECT_BYTES = 2;

/**
 * Whether the constraints allow every name of a certificate. Only URIs are compared. If another form of name is
 * constrained, a certificate with a name of that form is not allowed.
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

/**
 * Undefined for a URI that is not a SPIFFE ID: readers find different hosts in such a URI, which an attacker could
 * exploit.
 */
function hostOf(uri: Buffer): string | undefined {
  try {
    return SpiffeId.parse(uri).trustDomain.name;
  } catch {
    return undefined;
  }
}

/**
 * RFC 5280 4.2.1.10: with a leading period, the base covers all hosts below it; without one, only that host. The RFC
 * gives an empty base no meaning; here it covers every host, as in Go.
 */
function covers(base: string, host: string): boolean {
  if (base === "") return true;
  return base.startsWith(".") ? host.endsWith(base) : host === base;
}
