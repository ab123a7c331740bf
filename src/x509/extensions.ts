import { type DerElement, MalformedDer, parseDer, TAG } from "./der.ts";
import { DerFields, oidText, optionalBoolean, setBits, smallInteger } from "./der-fields.ts";
import { type GeneralName, parseGeneralNames } from "./general-name.ts";
import { type NameConstraints, parseNameConstraints } from "./name-constraints.ts";

/** Bits of keyUsage (RFC 5280 4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0, keyCertSign: 5, crlSign: 6 } as const;

/** Purposes of extendedKeyUsage (RFC 5280 4.2.1.12). */
export const EXTENDED_KEY_USAGE = {
  any: "2.5.29.37.0",
  server: "1.3.6.1.5.5.7.3.1",
  client: "1.3.6.1.5.5.7.3.2",
} as const;

/** The contents of the extensions that Coffer implements (RFC 5280 4.2.1). */
export interface Extensions {
  /** basicConstraints.cA; false when absent. */
  ca: boolean;
  /** basicConstraints.pathLenConstraint; undefined (no limit) if absent. */
  pathLength: number | undefined;
  /** The bits of keyUsage that are set; undefined if the extension is absent. See {@link KEY_USAGE}. */
  keyUsage: ReadonlySet<number> | undefined;
  /**
   * The purposes of extendedKeyUsage in dotted form; undefined if the extension is absent. See
   * {@link EXTENDED_KEY_USAGE}.
   */
  extendedKeyUsage: readonly string[] | undefined;
  /** The subjectAltNames; empty when absent. */
  names: readonly GeneralName[];
  nameConstraints: NameConstraints | undefined;
  /** The subjectKeyIdentifier. A hint for finding an issuer, never a proof. */
  keyId: Buffer | undefined;
  /** The keyIdentifier of the authorityKeyIdentifier. Also only a hint. */
  issuerKeyId: Buffer | undefined;
  /**
   * The first critical extension that is not one of the above, in dotted form. A verifier must refuse the certificate
   * (RFC 5280 4.2).
   */
  unknownCritical: string | undefined;
}

const READERS = new Map<string, (value: DerElement) => Partial<Extensions>>([
  ["2.5.29.14", (value) => ({ keyId: octets(value) })],
  ["2.5.29.15", (value) => ({ keyUsage: flags(value) })],
  ["2.5.29.17", (value) => ({ names: parseGeneralNames(value) })],
  ["2.5.29.19", parseBasicConstraints],
  ["2.5.29.30", (value) => ({ nameConstraints: parseNameConstraints(value) })],
  ["2.5.29.35", (value) => ({ issuerKeyId: parseAuthorityKeyId(value) })],
  ["2.5.29.37", (value) => ({ extendedKeyUsage: parsePurposes(value) })],
]);

const ABSENT: Extensions = {
  ca: false,
  pathLength: undefined,
  keyUsage: undefined,
  extendedKeyUsage: undefined,
  names: [],
  nameConstraints: undefined,
  keyId: undefined,
  issuerKeyId: undefined,
  unknownCritical: undefined,
};

/**
 * Reads the extensions, each at most once (RFC 5280 4.2). `element` is undefined if there are none. Throws
 * MalformedDer.
 */
export function parseExtensions(element: DerElement | undefined): Extensions {
  if (element === undefined) return ABSENT;
  if (element.tag !== TAG.sequence || element.children.length === 0) throw new MalformedDer("extensions are empty");
  const seen = new Set<string>();
  let extensions = ABSENT;
  let unknownCritical: string | undefined;
  for (const child of element.children) {
    const { oid, critical, value } = parseExtension(child);
    // Parsers differ in which of two extensions they use, so another parser could read a different SPIFFE ID.
    if (seen.has(oid)) throw new MalformedDer(`the extension ${oid} occurs twice`);
    seen.add(oid);
    const reader = READERS.get(oid);
    if (reader) extensions = { ...extensions, ...reader(parseDer(value)) };
    else if (critical) unknownCritical ??= oid;
  }
  return { ...extensions, unknownCritical };
}

function parseExtension(element: DerElement): { oid: string; critical: boolean; value: Buffer } {
  const fields = new DerFields(element, "an extension");
  const oid = oidText(fields.take(TAG.oid));
  const critical = optionalBoolean(fields.maybe(TAG.boolean));
  const value = fields.take(TAG.octetString).value;
  fields.end();
  return { oid, critical, value };
}

function parseBasicConstraints(element: DerElement): Partial<Extensions> {
  const fields = new DerFields(element, "basicConstraints");
  const ca = optionalBoolean(fields.maybe(TAG.boolean));
  const pathLength = fields.maybe(TAG.integer);
  fields.end();
  return { ca, pathLength: pathLength && smallInteger(pathLength) };
}

function parsePurposes(element: DerElement): string[] {
  const purposes = new DerFields(element, "extendedKeyUsage").rest();
  if (purposes.length === 0) throw new MalformedDer("extendedKeyUsage is empty");
  return purposes.map((purpose) => {
    if (purpose.tag !== TAG.oid) throw new MalformedDer("extendedKeyUsage contains an element that is not a purpose");
    return oidText(purpose);
  });
}

function parseAuthorityKeyId(element: DerElement): Buffer | undefined {
  return new DerFields(element, "authorityKeyIdentifier").maybe(0x80)?.value;
}

function octets(element: DerElement): Buffer {
  if (element.tag !== TAG.octetString) throw new MalformedDer("subjectKeyIdentifier has the wrong type");
  return element.value;
}

function flags(element: DerElement): ReadonlySet<number> {
  if (element.tag !== TAG.bitString) throw new MalformedDer("keyUsage has the wrong type");
  return setBits(element);
}
