import { isIPv4 } from "node:net";
import { type Asn1, boolean, encode, namedBits, octets, oid, sequence, tagged } from "./der-encoding.ts";

/** The subject alternative names of a certificate. */
export interface AlternativeNames {
  /** URIs: one SPIFFE ID, except in tests that need an invalid certificate. */
  readonly uris: readonly string[];
  readonly dns?: readonly string[] | undefined;
  /** IPv4 addresses in dotted form. */
  readonly ip?: readonly string[] | undefined;
}

// Bits of keyUsage (RFC 5280 4.2.1.3).
const DIGITAL_SIGNATURE = 0;
const KEY_ENCIPHERMENT = 2;
const KEY_AGREEMENT = 4;
const KEY_CERT_SIGN = 5;
const CRL_SIGN = 6;

/** The extensions of a CA (X509-SVID 3.2, 4.1, 4.3): it may sign, and its SPIFFE ID is that of the trust domain. */
export function caExtensions(names: AlternativeNames, ownKeyId: Buffer): Asn1 {
  return sequence(
    keyUsage(KEY_CERT_SIGN, CRL_SIGN),
    critical("2.5.29.19", sequence(boolean(true))),
    subjectKeyId(ownKeyId),
    alternativeNames(names),
  );
}

/** The extensions of a workload's SVID (X509-SVID 2, 4.1, 4.3, 4.4), as SPIRE issues them. */
export function workloadExtensions(names: AlternativeNames, ownKeyId: Buffer, issuerKeyId: Buffer): Asn1 {
  return sequence(
    keyUsage(DIGITAL_SIGNATURE, KEY_ENCIPHERMENT, KEY_AGREEMENT),
    extendedKeyUsage("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"), // serverAuth, clientAuth
    critical("2.5.29.19", sequence()),
    subjectKeyId(ownKeyId),
    extension("2.5.29.35", sequence(tagged(0, issuerKeyId))),
    alternativeNames(names),
  );
}

function keyUsage(...bits: number[]): Asn1 {
  return critical("2.5.29.15", namedBits(...bits));
}

function extendedKeyUsage(...purposes: string[]): Asn1 {
  return extension("2.5.29.37", sequence(...purposes.map(oid)));
}

function subjectKeyId(keyId: Buffer): Asn1 {
  return extension("2.5.29.14", octets(keyId));
}

function alternativeNames({ uris, dns = [], ip = [] }: AlternativeNames): Asn1 {
  return extension(
    "2.5.29.17",
    sequence(
      ...uris.map((uri) => tagged(6, Buffer.from(uri))),
      ...dns.map((name) => tagged(2, Buffer.from(name))),
      ...ip.map((address) => tagged(7, addressBytes(address))),
    ),
  );
}

function addressBytes(address: string): Buffer {
  if (!isIPv4(address)) throw new TypeError(`${JSON.stringify(address)} is not an IPv4 address`);
  return Buffer.from(address.split(".").map(Number));
}

function extension(id: string, value: Asn1): Asn1 {
  return sequence(oid(id), octets(encode(value)));
}

function critical(id: string, value: Asn1): Asn1 {
  return sequence(oid(id), boolean(true), octets(encode(value)));
}
