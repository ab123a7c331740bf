import { generateKeyPairSync } from "node:crypto";
import { CLIENT_AUTH, extension, newKey, SERVER_AUTH } from "./certificate-forge.ts";
import { bitString, element, integer, oid, sequence } from "./der-writer.ts";
import { example, ID, NOW, workloadKey } from "./chain-world.ts";
import { type HostileCase, leaf, under } from "./hostile-case.ts";

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";

/** A workload with this URI as its only one. */
function id(what: string, uri: string | Buffer): HostileCase {
  return leaf("malformed-spiffe-id", what, { uris: [uri] });
}

/** Leaves without exactly one valid SPIFFE ID. */
export const IDENTITY: readonly HostileCase[] = [
  leaf("no-uri", "no names at all", { uris: [] }),
  leaf("no-uri", "DNS names only", { uris: [], dns: ["api.example.org"] }),
  leaf("no-uri", "an ID inside a DNS name", { uris: [], dns: [`x, URI:${ID}`] }),
  leaf("no-uri", "an ID inside another kind of name", { uris: [], names: [otherName(`URI:${ID}`)] }),
  leaf("no-uri", "an ID as an e-mail address", { uris: [], names: [element(0x81, Buffer.from(ID))] }),
  leaf("several-uris", "two IDs", { uris: [ID, "spiffe://example.org/admin"] }),
  leaf("several-uris", "the same ID twice", { uris: [ID, ID] }),
  leaf("several-uris", "an ID, then another URI", { uris: [ID, "https://example.org/"] }),
  leaf("several-uris", "another URI, then an ID", { uris: ["https://example.org/", ID] }),
  leaf("several-uris", "an ID and an empty URI", { uris: [ID, ""] }),
  leaf("several-uris", "IDs of two trust domains", { uris: [ID, "spiffe://other.org/api"] }),
  leaf("no-workload-path", "the ID of the trust domain", { id: "spiffe://example.org" }),
  { reason: "no-workload-path", what: "the CA itself", chain: [example.der], key: example.key },
  id("a URI that is not a SPIFFE ID", "https://example.org/api"),
  id("an empty URI", ""),
  id("a scheme in upper case", "SPIFFE://example.org/api"),
  id("a trust domain in upper case", "spiffe://EXAMPLE.org/api"),
  id("an empty fragment", `${ID}#`),
  id("an empty query", `${ID}?`),
  id("a NUL", "spiffe://example.org/api\0.evil"),
  id("a line break", "spiffe://example.org/api\r\nadmin"),
  id("a space at the end", `${ID} `),
  id("a letter beyond ASCII", "spiffe://example.org/\u00e4pi"),
  id("a byte that is not text", Buffer.from("spiffe://example.org/\xff", "latin1")),
  id("a fullwidth slash", "spiffe://example.org\uff0fadmin"),
  id("a backslash", "spiffe://example.org\\admin"),
  id("percent-encoding", "spiffe://example.org/%61pi"),
  id("dot segments", "spiffe://example.org/api/../admin"),
  id("an empty segment", "spiffe://example.org//admin"),
  id("a trailing slash", `${ID}/`),
  id("a port", "spiffe://example.org:443/api"),
  id("a user name", "spiffe://admin@example.org/api"),
  id("an ID that is too long by one byte", `spiffe://example.org/${"a".repeat(2049 - 21)}`),
  id("a trust domain that is too long by one byte", `spiffe://${"a".repeat(256)}/api`),
];

/** Leaves that are not certificates of a workload, or are weak. */
export const PROFILE: readonly HostileCase[] = [
  leaf("leaf-is-ca", "a CA that may sign", { ca: true, keyUsage: [0, 5] }),
  // node:crypto reports `ca: false` for this one.
  leaf("leaf-is-ca", "a CA without keyCertSign", { ca: true, keyUsage: [0] }),
  leaf("leaf-may-sign", "keyCertSign", { keyUsage: [0, 5] }),
  leaf("leaf-may-sign", "cRLSign", { keyUsage: [0, 6] }),
  leaf("leaf-key-usage", "no key usage", { keyUsage: null }),
  leaf("leaf-key-usage", "an empty key usage", { keyUsage: [] }),
  leaf("leaf-key-usage", "a key usage without digitalSignature", { keyUsage: [2] }),
  {
    ...leaf("leaf-extended-key-usage", "a client that may only be a server", { extendedKeyUsage: [SERVER_AUTH] }),
    purpose: "client",
  },
  leaf("leaf-extended-key-usage", "a workload that may only sign code", { extendedKeyUsage: [CODE_SIGNING] }),
  {
    ...leaf("leaf-extended-key-usage", "a server that may only be a client", { extendedKeyUsage: [CLIENT_AUTH] }),
    purpose: "server",
  },
  leaf("expired", "a leaf that expired a second ago", { notAfter: NOW - SECOND }),
  { ...leaf("expired", "a leaf that expired a millisecond ago", { notAfter: NOW }), now: NOW + 1 },
  leaf("not-yet-valid", "a leaf that is valid from the next second", { notBefore: NOW + SECOND }),
  { ...leaf("not-yet-valid", "a leaf that is valid from the next millisecond", { notBefore: NOW }), now: NOW - 1 },
  leaf("expired", "a validity that ends before it begins", { notBefore: NOW - HOUR, notAfter: NOW - 2 * HOUR }),
  leaf("unknown-critical-extension", "an unknown critical extension", {
    extensions: [extension("1.3.6.1.4.1.99999.1", true, Buffer.from([5, 0]))],
  }),
  leaf("unknown-critical-extension", "a critical policies extension", {
    extensions: [extension("2.5.29.32", true, sequence(sequence(oid("2.5.29.32.0"))))],
  }),
  leaf("unacceptable-key", "an RSA key of 1024 bits", { key: newKey("rsa-1024") }),
  leaf("unacceptable-key", "a key on secp256k1", { key: newKey("secp256k1") }),
  leaf("unacceptable-key", "an Ed448 key", { key: newKey("ed448") }),
  leaf("unacceptable-key", "a key with explicit curve parameters", {
    key: generateKeyPairSync("ec", { namedCurve: "P-256", paramEncoding: "explicit" }),
  }),
  leaf("unacceptable-key", "an RSA key with a large exponent", {
    key: generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 0xc0000001 }),
  }),
  leaf("unacceptable-key", "an RSA key of 16384 bits", { publicKeyInfo: hugeRsaKey() }),
  leaf("unacceptable-key", "a compressed point", { publicKeyInfo: compressedKey() }),
  leaf("unacceptable-key", "a point that is not on the curve", { publicKeyInfo: pointOffCurve() }),
  leaf("unacceptable-signature", "a signature with SHA-1", { digest: "sha1" }),
  leaf("unacceptable-signature", "a signature with SHA-224", { digest: "sha224" }),
  under("unacceptable-signature", "an RSA signature with SHA-1", { keyType: "rsa-2048" }, { digest: "sha1" }),
  under("unacceptable-signature", "an RSA signature with MD5", { keyType: "rsa-2048" }, { digest: "md5" }),
];

function otherName(text: string): Buffer {
  return element(0xa0, oid("1.3.6.1.4.1.311.20.2.3"), element(0xa0, element(0x0c, Buffer.from(text))));
}

/** SubjectPublicKeyInfo on P-256 with this point. */
function keyInfo(point: Buffer): Buffer {
  return sequence(sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), bitString(point));
}

function coordinates(): { x: Buffer; y: Buffer } {
  const point = workloadKey.publicKey.export({ type: "spki", format: "der" }).subarray(-64);
  return { x: point.subarray(0, 32), y: point.subarray(32) };
}

function compressedKey(): Buffer {
  const { x, y } = coordinates();
  return keyInfo(Buffer.concat([Buffer.of(2 + (y.at(-1)! & 1)), x]));
}

/** No private key exists for it: generating a real one would take minutes. */
function hugeRsaKey(): Buffer {
  const modulus = (1n << 16383n) | 1n;
  const key = sequence(integer(modulus), integer(65537));
  return sequence(sequence(oid("1.2.840.113549.1.1.1"), element(0x05)), bitString(key));
}

function pointOffCurve(): Buffer {
  const { x, y } = coordinates();
  return keyInfo(Buffer.concat([Buffer.of(4), y, x]));
}
