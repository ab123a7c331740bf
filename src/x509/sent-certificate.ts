import { acceptedKind } from "./algorithms.ts";
import { MalformedDer, parseDer, TAG, type UnreadElement, unreadElements } from "./der.ts";

/** The parts of a certificate on which the work of OpenSSL depends. Nothing else in it is read. */
export interface SentCertificate {
  /** Whether its key is of an accepted kind, by its encoding alone. */
  readonly hasAcceptedKind: boolean;
  /** The number of its names: the attributes of its subject, and its subjectAltNames. */
  readonly names: number;
  /** The number of subtrees in its name constraints. */
  readonly subtrees: number;
  /**
   * Whether a CRL distribution point has a name relative to the issuer (RFC 5280 4.2.1.13, which advises against it). OpenSSL
   * makes a copy of the issuer's name for each.
   */
  readonly hasRelativeName: boolean;
}

const VERSION = 0xa0;
const EXTENSIONS = 0xa3;

/** The number of fields of the signed part that come before the subject and after the version (RFC 5280 4.1). */
const FIELDS_BEFORE_SUBJECT = 4;

/** The object identifiers of extensions, in hex. */
const SUBJECT_ALT_NAME = "551d11";
const NAME_CONSTRAINTS = "551d1e";
const CRL_DISTRIBUTION_POINTS = "551d1f";

/** Fields of a distribution point and of its name. */
const POINT_NAME = 0xa0;
const RELATIVE_NAME = 0xa1;

/**
 * Reads a certificate before OpenSSL decodes it. Throws {@link MalformedDer} if the elements that contain these parts are not
 * in DER, because OpenSSL could then read other parts from the same bytes.
 */
export function readSentCertificate(certificate: Uint8Array): SentCertificate {
  const [whole, ...others] = unreadElements(certificate);
  const [signed] = fieldsOf(whole);
  const fields = fieldsOf(signed);
  const start = FIELDS_BEFORE_SUBJECT + (fields[0]?.tag === VERSION ? 1 : 0);
  const [subject, key, ...rest] = fields.slice(start);
  if (others.length > 0 || key === undefined) throw new MalformedDer("it does not have the fields of a certificate");
  const extensions = extensionsIn(rest);
  return {
    hasAcceptedKind: acceptedKind(parseDer(key.der)) !== undefined,
    names: inEach(fieldsOf(subject)).length + valuesOf(extensions, SUBJECT_ALT_NAME).length,
    subtrees: inEach(valuesOf(extensions, NAME_CONSTRAINTS)).length,
    hasRelativeName: valuesOf(extensions, CRL_DISTRIBUTION_POINTS).some(isRelative),
  };
}

function isRelative(point: UnreadElement): boolean {
  const names = fieldsOf(point).filter(({ tag }) => tag === POINT_NAME);
  return inEach(names).some(({ tag }) => tag === RELATIVE_NAME);
}

/** An extension, whose value is not read. */
interface SentExtension {
  readonly oid: string;
  readonly value: Buffer;
}

function extensionsIn(fields: readonly UnreadElement[]): SentExtension[] {
  const lists = inEach(fields.filter(({ tag }) => tag === EXTENSIONS));
  return lists.flatMap(fieldsOf).map((extension) => {
    const [oid, ...others] = fieldsOf(extension);
    const value = others.at(-1);
    if (oid === undefined || value?.tag !== TAG.octetString) throw new MalformedDer("an extension lacks its value");
    return { oid: oid.value.toString("hex"), value: value.value };
  });
}

/** The elements in the values of all extensions with this identifier. Each value must be one sequence. */
function valuesOf(extensions: readonly SentExtension[], oid: string): UnreadElement[] {
  const values = extensions.filter((extension) => extension.oid === oid);
  return values.flatMap(({ value }) => unreadElements(value).flatMap(fieldsOf));
}

function fieldsOf(element: UnreadElement | undefined): UnreadElement[] {
  if (element?.tag !== TAG.sequence) throw new MalformedDer("it does not have the sequences of a certificate");
  return unreadElements(element.value);
}

/** The elements inside each of these, whatever their tags are. */
function inEach(elements: readonly UnreadElement[]): UnreadElement[] {
  return elements.flatMap(({ value }) => unreadElements(value));
}
