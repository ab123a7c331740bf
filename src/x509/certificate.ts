import { X509Certificate } from "node:crypto";
import { acceptedKey, acceptedSignature, type PublicKey, type SignatureAlgorithm } from "./algorithms.ts";
import { type DerElement, MalformedDer, parseDer, TAG } from "./der.ts";
import { DerFields, timeOf, wholeBytes } from "./der-fields.ts";
import { type Extensions, parseExtensions } from "./extensions.ts";
import { NAME_FORM } from "./general-name.ts";

/** An X.509 certificate (RFC 5280 4.1), read strictly. Times are milliseconds since the epoch. */
export interface Certificate extends Readonly<Extensions> {
  /** The whole certificate. */
  readonly der: Buffer;
  /** The part that is signed. */
  readonly signed: Buffer;
  /** Undefined if the algorithm is not accepted. */
  readonly signatureAlgorithm: SignatureAlgorithm | undefined;
  readonly signature: Buffer;
  /** In hex, of any length. For messages only: no decision depends on it. */
  readonly serial: string;
  /** The names of issuer and subject in DER. Compared by bytes, as RFC 5280 7.1 allows. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** The first millisecond of its validity. */
  readonly notBefore: number;
  /** The last millisecond of its validity. */
  readonly notAfter: number;
  /** Undefined if the key is not accepted. */
  readonly publicKey: PublicKey | undefined;
  /** The URIs among its names, all of them, as bytes. */
  readonly uris: readonly Buffer[];
}

const VERSION = 0xa0;
const ISSUER_UNIQUE_ID = 0x81;
const SUBJECT_UNIQUE_ID = 0x82;
const EXTENSIONS = 0xa3;
/** Version 3 in DER, where versions are counted from 0. */
const VERSION_3 = Buffer.of(TAG.integer, 1, 2);

/** Reads exactly one certificate. Throws {@link MalformedDer}. */
export function parseCertificate(bytes: Uint8Array): Certificate {
  const der = Buffer.from(bytes);
  const fields = new DerFields(parseDer(der), "a certificate");
  const signed = fields.take(TAG.sequence);
  const algorithm = fields.take(TAG.sequence);
  const signature = wholeBytes(fields.take(TAG.bitString));
  fields.end();
  const rest = parseSigned(signed, algorithm, secondReading(der));
  return Object.freeze({
    der,
    signed: signed.der,
    signatureAlgorithm: acceptedSignature(algorithm),
    signature,
    ...rest,
  });
}

function parseSigned(signed: DerElement, algorithm: DerElement, second: X509Certificate) {
  const fields = new DerFields(signed, "the signed part of a certificate");
  const version = explicit(fields.maybe(VERSION));
  const serial = fields.take(TAG.integer).value.toString("hex");
  // RFC 5280 4.1.1.2: the algorithm in the signed part must equal the one outside of it.
  if (!fields.take(TAG.sequence).der.equals(algorithm.der))
    throw new MalformedDer("its two signature algorithms differ");
  const issuer = fields.take(TAG.sequence).der;
  const validity = parseValidity(fields.take(TAG.sequence));
  const subject = fields.take(TAG.sequence).der;
  const publicKey = acceptedKey(fields.take(TAG.sequence), second);
  fields.maybe(ISSUER_UNIQUE_ID);
  fields.maybe(SUBJECT_UNIQUE_ID);
  const extensionList = explicit(fields.maybe(EXTENSIONS));
  fields.end();
  checkVersion(version, extensionList);
  const extensions = parseExtensions(extensionList);
  const uris = extensions.names.filter((name) => name.form === NAME_FORM.uri).map((name) => name.value);
  return { serial, issuer, ...validity, subject, publicKey, ...extensions, uris };
}

function parseValidity(element: DerElement): { notBefore: number; notAfter: number } {
  const fields = new DerFields(element, "validity");
  const validity = { notBefore: timeOf(fields.any()), notAfter: timeOf(fields.any()) };
  fields.end();
  return validity;
}

/** The single element inside an EXPLICIT tag. */
function explicit(element: DerElement | undefined): DerElement | undefined {
  if (element !== undefined && element.children.length !== 1)
    throw new MalformedDer("an explicit tag does not contain exactly one element");
  return element?.children[0];
}

/** RFC 5280 4.1.2.1: only version 3 has extensions. */
function checkVersion(version: DerElement | undefined, extensions: DerElement | undefined): void {
  if (extensions !== undefined && !version?.der.equals(VERSION_3)) {
    throw new MalformedDer("extensions in a certificate that is not of version 3");
  }
}

/**
 * Checks that OpenSSL reads the same certificate from the same bytes. OpenSSL also checks parts that this reader does
 * not, such as the strings in names.
 */
function secondReading(der: Buffer): X509Certificate {
  try {
    const certificate = new X509Certificate(der);
    if (certificate.raw.equals(der)) return certificate;
  } catch {
    throw new MalformedDer("OpenSSL does not read it as a certificate");
  }
  throw new MalformedDer("OpenSSL reads another certificate in the same bytes");
}
