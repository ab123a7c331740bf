import forge from "node-forge";

/**
 * The few ASN.1 types (X.690, DER) that a certificate is made of, on top of node-forge's encoder. node-forge keeps
 * bytes in strings, one character per byte; here everybody passes Buffers. Its forge.pki is of no use: it knows no EC
 * keys.
 */
const { asn1 } = forge;
const { Class, Type } = asn1;

/** An ASN.1 value that is not encoded yet. */
export type Asn1 = forge.asn1.Asn1;

/** A SEQUENCE of its parts in the given order, which means something (X.690 8.9). */
export function sequence(...parts: Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, parts);
}

/** A SET with one member: with more, DER would have to sort them. */
export function setOf(member: Asn1): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SET, true, [member]);
}

/** An object identifier in dotted form. */
export function oid(dotted: string): Asn1 {
  return primitive(Type.OID, asn1.oidToDer(dotted).getBytes());
}

/** A BOOLEAN: DER knows one byte for true, 0xff (X.690 11.1). */
export function boolean(value: boolean): Asn1 {
  return primitive(Type.BOOLEAN, value ? "\xff" : "\x00");
}

/** A number that is not negative, as big-endian bytes. */
export function unsigned(magnitude: Buffer): Asn1 {
  return primitive(Type.INTEGER, binary(Buffer.concat([Buffer.of(0), magnitude])));
}

/** A PrintableString. The text must keep to its alphabet (X.680 41.4), which is not checked here. */
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

/** A BIT STRING whose bits have names, by their numbers: as long as the highest that is set (X.690 11.2.2). */
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

/** [number] with bytes of its own: an IMPLICIT string. */
export function tagged(number: number, bytes: Buffer): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, number, false, binary(bytes));
}

/** [number] around a whole value: EXPLICIT. */
export function wrapped(number: number, value: Asn1): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, number, true, [value]);
}

/** A value that is in DER already, such as a SubjectPublicKeyInfo. */
export function parsed(der: Buffer): Asn1 {
  return asn1.fromDer(binary(der));
}

/** The DER of a value and of all that is in it. */
export function encode(value: Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), "latin1");
}

/** The name of a certificate's subject, to become the issuer of others byte by byte (RFC 5280 4.1: the sixth field). */
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
