import { createHash, type KeyObject, randomBytes, sign } from "node:crypto";
import {
  type Asn1,
  bits,
  encode,
  oid,
  parsed,
  printableString,
  sequence,
  setOf,
  time,
  unsigned,
  wrapped,
} from "./der-encoding.ts";

/** The content of a certificate before it is signed. */
export interface CertificateDraft {
  /** Big-endian, not negative: see {@link randomSerial}. */
  readonly serial: Buffer;
  readonly issuer: Asn1;
  readonly subject: Asn1;
  readonly publicKey: KeyObject;
  /** Milliseconds since the epoch. A certificate has a resolution of one second. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly extensions: Asn1;
}

/** The size of an uncompressed point: one byte for its form, and two coordinates of 32 bytes. */
const POINT_BYTES = 65;

/** The supported attributes of a name, with their types (RFC 5280 4.1.2.4, appendix A.1). */
const ATTRIBUTES = { country: "2.5.4.6", organization: "2.5.4.10", serialNumber: "2.5.4.5" };

/** A distinguished name of these attributes, in this order. The values must be PrintableStrings. */
export function distinguishedName(parts: Partial<Record<keyof typeof ATTRIBUTES, string>>): Asn1 {
  const entries = Object.entries(parts) as [keyof typeof ATTRIBUTES, string][];
  return sequence(...entries.map(([name, text]) => setOf(sequence(oid(ATTRIBUTES[name]), printableString(text)))));
}

/**
 * 16 bytes with 126 random bits, within the limit of 20 bytes (RFC 5280 4.1.2.2). The highest bit is clear, so the
 * number is positive. The next bit is set, so it is not zero.
 */
export function randomSerial(): Buffer {
  const serial = randomBytes(16);
  serial.writeUInt8((serial.readUInt8() & 0x7f) | 0x40);
  return serial;
}

/**
 * The key identifier of a P-256 key: SHA-1 of its point (RFC 5280 4.2.1.2, method 1). Security does not depend on it.
 */
export function keyId(publicKey: KeyObject): Buffer {
  return createHash("sha1").update(point(publicKey)).digest();
}

/** Signs a certificate (RFC 5280 4.1, version 3) with a P-256 key and ecdsa-with-SHA256. Returns DER. */
export function signCertificate(draft: CertificateDraft, key: KeyObject): Buffer {
  const algorithm = sequence(oid("1.2.840.10045.4.3.2"));
  const body = sequence(
    wrapped(0, unsigned(Buffer.of(2))),
    unsigned(draft.serial),
    algorithm,
    draft.issuer,
    sequence(time(draft.notBefore), time(draft.notAfter)),
    draft.subject,
    publicKeyInfo(draft.publicKey),
    wrapped(3, draft.extensions),
  );
  return encode(sequence(body, algorithm, bits(sign("sha256", encode(body), key))));
}

/** The SubjectPublicKeyInfo of a key of any kind (RFC 5280 4.1). */
function publicKeyInfo(publicKey: KeyObject): Asn1 {
  return parsed(publicKey.export({ type: "spki", format: "der" }));
}

/** The uncompressed point of a P-256 key (SEC 1, 2.3.3). */
function point(publicKey: KeyObject): Buffer {
  // The point is the end of the SubjectPublicKeyInfo (RFC 5480 2). A JWK is not used: on Node 20, exporting a JWK from
  // a new key blocks forever on a lock about once in ten thousand times.
  return publicKey.export({ type: "spki", format: "der" }).subarray(-POINT_BYTES);
}
