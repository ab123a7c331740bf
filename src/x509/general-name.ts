import { type DerElement, MalformedDer, TAG } from "./der.ts";

/** The forms of GeneralName (RFC 5280 4.2.1.6), by identifier octet. */
export const NAME_FORM = {
  other: 0xa0,
  email: 0x81,
  dns: 0x82,
  x400: 0xa3,
  directory: 0xa4,
  ediParty: 0xa5,
  uri: 0x86,
  ip: 0x87,
  registeredId: 0x88,
} as const;

/**
 * A name, as bytes. Never convert several names to one text and search it: a name could contain the text of another
 * one.
 */
export interface GeneralName {
  /** One of {@link NAME_FORM}. */
  readonly form: number;
  readonly value: Buffer;
}

const FORMS: ReadonlySet<number> = new Set(Object.values(NAME_FORM));

/** Reads a name. Throws MalformedDer for a form that does not exist, such as a constructed URI. */
export function parseGeneralName(element: DerElement): GeneralName {
  if (!FORMS.has(element.tag)) throw new MalformedDer("a name of a form that does not exist");
  return { form: element.tag, value: element.value };
}

/** Reads GeneralNames, the value of a subjectAltName. Throws MalformedDer. */
export function parseGeneralNames(element: DerElement): GeneralName[] {
  if (element.tag !== TAG.sequence || element.children.length === 0) {
    throw new MalformedDer("subjectAltName has no names");
  }
  const names = element.children.map(parseGeneralName);
  for (const name of names) checkValue(name);
  return names;
}

/**
 * Refuses the same values as Go's reader, so that both accept the same certificates. The parser of SPIFFE IDs checks
 * the bytes of a URI, and has better messages for them.
 */
function checkValue({ form, value }: GeneralName): void {
  if (form === NAME_FORM.ip && value.length !== 4 && value.length !== 16) {
    throw new MalformedDer("an IP address does not have 4 or 16 bytes");
  }
  if ((form === NAME_FORM.dns || form === NAME_FORM.email) && value.some((byte) => byte >= 0x80)) {
    throw new MalformedDer("a DNS name or e-mail address is not ASCII");
  }
}
