import forge from "node-forge";

/**
 * The ASN.1 types (X.690, DER) of a certificate, on top of node-forge's encoder. node-forge represents bytes as strings
 * with one character per byte; this module takes and returns Buffers. forge.pki can't be used, because it does not
 * support EC keys.
 */
const { asn1 } = forge;
const { Class, Type } = asn1;

/** An ASN.1 value that is not encoded yet. */
export type Asn1 = forge.asn1.Asn1;

/** A SEQUENCE of `parts`, in this order (X.690 8.9). */
export function sequence(...parts: Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, parts);
}

/** A SET with one member. DER requires that several members are sorted, which is not implemented. */
export function setOf(member: Asn1): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SET, true, [member]);
}

/** An object identifier in dotted form. */
export function oid(dotted: string): Asn1 {
  return primitive(Type.OID, asn1.oidToDer(dotted).getBytes());
}

/** A BOOLEAN. In DER, true is 0xff (X.690 11.1). */
export function boolean(value: boolean): Asn1 {
  return primitive(Type.BOOLEAN, value ? "\xff" : "\x00");
}

/** An INTEGER that is not negative, from big-endian bytes. */
export function unsigned(magnitude: Buffer): Asn1 {
  return primitive(Type.INTEGER, binary(Buffer.concat([Buffer.of(0), magnitude])));
}

/** A PrintableString. The text must use only its alphabet (X.680 41.4), which is not checked. */
export function printableString(text: string): Asn1 {
  return primitive(Type.PRINTABLESTRING, text);
}

/** An OCTET STRING. */
export function octets(bytes: Buffer): Asn1 {
  return primitive(Type.OCTETSTRING, binary(bytes));
}

/** A BIT STRING of whole bytes. */
export function bits(bytes: Buffer): Asn1 {
  return primitive(Type.BITSTRING, `\0${binary(bytes)}`);
}

/** A BIT STRING with these bits set, each from 0 to 7. It ends with the highest one (X.690 11.2.2). */
export function namedBits(...numbers: number[]): Asn1 {
  const highest = Math.max(...numbers);
  const byte = numbers.reduce((sum, number) => sum | (0x80 >> number), 0);
  return primitive(Type.BITSTRING, String.fromCharCode(7 - highest, byte));
}

/** A time in milliseconds since the epoch: UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 4.1.2.5). */
export function time(ms: number): Asn1 {
  const date = new Date(ms);
  if (date.getUTCFullYear() < 2050) return primitive(Type.UTCTIME, asn1.dateToUtcTime(date));
  return primitive(Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date));
}

/** A context-specific primitive value: [number] IMPLICIT. */
export function tagged(number: number, bytes: Buffer): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, number, false, binary(bytes));
}

/** A context-specific value that contains another: [number] EXPLICIT. */
export function wrapped(number: number, value: Asn1): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, number, true, [value]);
}

/** A value that is in DER already, such as a SubjectPublicKeyInfo. */
export function parsed(der: Buffer): Asn1 {
  return asn1.fromDer(binary(der));
}

/** Encodes a value in DER. */
export function encode(value: Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), "latin1");
}

/** The subject of a certificate, to use it unchanged as the issuer of others (RFC 5280 4.1: the sixth field). */
export function subjectOf(certificate: Buffer): Asn1 {
  const [tbs] = asn1.fromDer(binary(certificate)).value as [Asn1];
  const [_version, _serial, _signature, _issuer, _validity, subject] = tbs.value as Asn1[];
  if (subject === undefined) throw new Error("the certificate has no subject");
  return subject;
}

/** A PEM block with lines of 64 characters (RFC 7468). */
export function toPem(type: string, der: Buffer): string {
  return forge.pem.encode({ type, body: binary(der) }).replaceAll("\r\n", "\n");
}

function primitive(type: number, bytes: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, type, false, bytes);
}

function binary(bytes: Buffer): string {
  return bytes.toString("latin1");
}
