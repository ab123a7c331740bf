import { generateKeyPairSync } from "node:crypto";
import { MAX_SIGNATURE_CHECKS } from "../../../src/identity/path-search.ts";
import { MAX_CHAIN_BYTES } from "../../../src/identity/verify.ts";
import type { RefusalReason } from "../../../src/identity/svid-refused.ts";
import {
  algorithmOf,
  AUTHORITY,
  type CertificateSpec,
  commonName,
  dnsName,
  extension,
  type Issuer,
  newKey,
  uriName,
} from "../../support/certificate-forge.ts";
import { bitString, boolean, element, integer, octetString, oid, sequence, time } from "../../support/der-writer.ts";
import { type Case, example, forge, ID, namesakes, NOW, other, trust, workload, workloadKey } from "./chain-world.ts";

/** A chain that must be refused, and why. */
export interface HostileCase extends Case {
  readonly reason: RefusalReason;
}

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

/** A workload of example.org that differs from a good one in `spec`. */
function leaf(reason: RefusalReason, what: string, spec: CertificateSpec): HostileCase {
  return { reason, what, chain: workload(spec), key: spec.key ?? workloadKey };
}

/** A workload whose only URI is this. */
function id(what: string, uri: string | Buffer): HostileCase {
  return leaf("malformed-spiffe-id", what, { uris: [uri] });
}

/** A workload below an intermediate that differs from a good one in `spec`. */
function below(reason: RefusalReason, what: string, spec: CertificateSpec): HostileCase {
  return { reason, what, chain: workload({}, example.intermediate(spec)) };
}

/** A workload below an authority of the bundle that differs from a good one in `spec`. */
function under(
  reason: RefusalReason,
  what: string,
  spec: CertificateSpec,
  workloadSpec: CertificateSpec = {},
): HostileCase {
  const authority = forge.authority("spiffe://example.org", spec);
  return { reason, what, chain: workload(workloadSpec, authority), bundles: trust(authority) };
}

/** A good chain whose leaf's bytes are changed after it was signed. */
function bytes(reason: RefusalReason, what: string, change: (der: Buffer) => Uint8Array): HostileCase {
  return { reason, what, chain: [change(Buffer.from(workload()[0]!))] };
}

const IDENTITY: readonly HostileCase[] = [
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
  { reason: "no-workload-path", what: "the authority itself", chain: [example.der], key: example.key },
  id("a URI that is no ID", "https://example.org/api"),
  id("an empty URI", ""),
  id("a scheme in upper case", "SPIFFE://example.org/api"),
  id("a trust domain in upper case", "spiffe://EXAMPLE.org/api"),
  id("an empty fragment", `${ID}#`),
  id("an empty query", `${ID}?`),
  id("a NUL", "spiffe://example.org/api\0.evil"),
  id("a line break", "spiffe://example.org/api\r\nadmin"),
  id("a space at the end", `${ID} `),
  id("a letter beyond ASCII", "spiffe://example.org/\u00e4pi"),
  id("a byte that is no text", Buffer.from("spiffe://example.org/\xff", "latin1")),
  id("a fullwidth slash", "spiffe://example.org\uff0fadmin"),
  id("a backslash", "spiffe://example.org\\admin"),
  id("percent-encoding", "spiffe://example.org/%61pi"),
  id("dot segments", "spiffe://example.org/api/../admin"),
  id("an empty segment", "spiffe://example.org//admin"),
  id("a trailing slash", `${ID}/`),
  id("a port", "spiffe://example.org:443/api"),
  id("a user", "spiffe://admin@example.org/api"),
  id("an ID that is too long by one byte", `spiffe://example.org/${"a".repeat(2049 - 21)}`),
  id("a trust domain that is too long by one byte", `spiffe://${"a".repeat(256)}/api`),
];

const PROFILE: readonly HostileCase[] = [
  leaf("leaf-is-ca", "a CA that may sign", { ca: true, keyUsage: [0, 5] }),
  // node:crypto reports `ca: false` for this one.
  leaf("leaf-is-ca", "a CA without keyCertSign", { ca: true, keyUsage: [0] }),
  leaf("leaf-may-sign", "keyCertSign", { keyUsage: [0, 5] }),
  leaf("leaf-may-sign", "cRLSign", { keyUsage: [0, 6] }),
  leaf("leaf-key-usage", "no key usage", { keyUsage: null }),
  leaf("leaf-key-usage", "an empty key usage", { keyUsage: [] }),
  leaf("leaf-key-usage", "a key usage without digitalSignature", { keyUsage: [2] }),
  {
    ...leaf("leaf-extended-key-usage", "a client that may be a server only", { extendedKeyUsage: [SERVER_AUTH] }),
    purpose: "client",
  },
  leaf("leaf-extended-key-usage", "a workload that may sign code only", { extendedKeyUsage: [CODE_SIGNING] }),
  {
    ...leaf("leaf-extended-key-usage", "a server that may be a client only", { extendedKeyUsage: [CLIENT_AUTH] }),
    purpose: "server",
  },
  leaf("expired", "a leaf that expired a second ago", { notAfter: NOW - SECOND }),
  { ...leaf("expired", "a leaf that expired a millisecond ago", { notAfter: NOW }), now: NOW + 1 },
  leaf("not-yet-valid", "a leaf of the next second", { notBefore: NOW + SECOND }),
  { ...leaf("not-yet-valid", "a leaf of the next millisecond", { notBefore: NOW }), now: NOW - 1 },
  leaf("expired", "a validity that ends before it begins", { notBefore: NOW - HOUR, notAfter: NOW - 2 * HOUR }),
  leaf("unknown-critical-extension", "a critical extension that nobody knows", {
    extensions: [extension("1.3.6.1.4.1.99999.1", true, Buffer.from([5, 0]))],
  }),
  leaf("unknown-critical-extension", "critical policies", {
    extensions: [extension("2.5.29.32", true, sequence(sequence(oid("2.5.29.32.0"))))],
  }),
  leaf("unacceptable-key", "an RSA key of 1024 bits", { key: newKey("rsa-1024") }),
  leaf("unacceptable-key", "a key on secp256k1", { key: newKey("secp256k1") }),
  leaf("unacceptable-key", "an Ed448 key", { key: newKey("ed448") }),
  leaf("unacceptable-key", "a key that brings its own curve", {
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

const ENCODING: readonly HostileCase[] = [
  bytes("malformed-certificate", "no bytes", () => Buffer.alloc(0)),
  bytes("malformed-certificate", "no certificate", () => Buffer.from("not a certificate")),
  bytes("malformed-certificate", "a certificate that is cut off", (der) => der.subarray(0, -1)),
  bytes("malformed-certificate", "a byte after the certificate", (der) => Buffer.concat([der, Buffer.of(0)])),
  bytes("malformed-certificate", "two certificates in one", (der) => Buffer.concat([der, example.der])),
  bytes("malformed-certificate", "a length with a leading zero", longerLength),
  bytes("untrusted", "an ID that was changed", (der) => replaced(der, "shop", "bank")),
  bytes("untrusted", "a signature that was changed", (der) => flipped(der, der.length - 1)),
  { reason: "malformed-certificate", what: "junk behind a good leaf", chain: [...workload(), Buffer.from("junk")] },
  leaf("malformed-certificate", "two lists of names", {
    extensions: [extension("2.5.29.17", false, sequence(uriName("spiffe://example.org/admin")))],
  }),
  leaf("malformed-certificate", "an unknown extension twice", {
    extensions: [1, 2].map((value) => extension("1.3.6.1.4.1.99999.1", false, integer(value))),
  }),
  leaf("malformed-certificate", "a list without names", {
    uris: [],
    extensions: [extension("2.5.29.17", false, sequence())],
  }),
  leaf("malformed-certificate", "a URI in pieces", {
    uris: [],
    names: [element(0xa6, element(0x16, Buffer.from(ID)))],
  }),
  leaf("malformed-certificate", "names with bytes behind them", {
    uris: [],
    extensions: [extension("2.5.29.17", false, Buffer.concat([sequence(uriName(ID)), Buffer.of(5, 0)]))],
  }),
  leaf("malformed-certificate", "an address of five bytes", { names: [element(0x87, Buffer.alloc(5))] }),
  leaf("malformed-certificate", "a DNS name beyond ASCII", { dns: ["\u00e4.example.org"] }),
  leaf("malformed-certificate", "a TRUE that is 1", {
    ca: null,
    extensions: [extension("2.5.29.19", true, sequence(element(0x01, Buffer.of(1))))],
  }),
  leaf("malformed-certificate", "basic constraints with a field too many", {
    ca: null,
    extensions: [extension("2.5.29.19", true, sequence(integer(0), integer(0)))],
  }),
  leaf("malformed-certificate", "a path length below zero", {
    ca: null,
    extensions: [extension("2.5.29.19", true, sequence(boolean(true), element(0x02, Buffer.of(0xff))))],
  }),
  leaf("malformed-certificate", "an object identifier that is too long to be logged", {
    extensions: [extension(`1.3.6.1.4.1${".1".repeat(40)}`, true, Buffer.from([5, 0]))],
  }),
  leaf("malformed-certificate", "an extended key usage without a purpose", {
    extendedKeyUsage: null,
    extensions: [extension("2.5.29.37", false, sequence())],
  }),
  leaf("malformed-certificate", "a key usage that is no bit string", {
    keyUsage: null,
    extensions: [extension("2.5.29.15", true, octetString(Buffer.of(0x80)))],
  }),
  leaf("malformed-certificate", "a key identifier of the wrong type", {
    keyIds: false,
    extensions: [extension("2.5.29.14", false, integer(1))],
  }),
  leaf("malformed-certificate", "a time that no calendar has", {
    tamper: (tbs) =>
      replaced(
        tbs,
        time(NOW + HOUR)
          .subarray(2)
          .toString(),
        "260231120000Z",
      ),
  }),
  leaf("malformed-certificate", "a serial number with a leading zero", {
    serial: 0x7fn << 120n,
    tamper: (tbs) => replaced(tbs, Buffer.from("02107f00", "hex"), Buffer.from("02100000", "hex")),
  }),
  leaf("malformed-certificate", "extensions in a certificate of version 2", {
    tamper: (tbs) => replaced(tbs, Buffer.from("a003020102", "hex"), Buffer.from("a003020101", "hex")),
  }),
  leaf("malformed-certificate", "a version that does not exist", {
    tamper: (tbs) => replaced(tbs, Buffer.from("a003020102", "hex"), Buffer.from("a003020103", "hex")),
  }),
  leaf("malformed-certificate", "an algorithm that differs from the one that was signed", {
    outerAlgorithm: algorithmOf(workloadKey.privateKey, "sha512"),
  }),
  leaf("no-uri", "a certificate of version 1", { version: 1 }),
];

const rogue = forge.authority("spiffe://example.org");
const federated = other.intermediate({ subject: AUTHORITY });
const selfSigned = forge.selfSigned({ id: ID, key: workloadKey });
const workloadAsIssuer = forge.issuerFrom(
  example.issue({ id: "spiffe://example.org/mallory", subject: commonName("mallory") }),
);

const TRUST_IN_WHOM: readonly HostileCase[] = [
  { reason: "untrusted", what: "another trust domain's authority", chain: workload({}, other) },
  { reason: "untrusted", what: "another trust domain's intermediate", chain: workload({}, federated) },
  {
    reason: "untrusted",
    what: "another trust domain's authority sent along",
    chain: [...workload({}, other), other.der],
  },
  { reason: "untrusted", what: "an authority that nobody trusts", chain: workload({}, rogue) },
  {
    reason: "untrusted",
    what: "an authority that nobody trusts sent along",
    chain: [...workload({}, rogue), rogue.der],
  },
  {
    reason: "untrusted",
    what: "the real authority behind a false one",
    chain: [...workload({}, rogue), rogue.der, example.der],
  },
  { reason: "untrusted", what: "no key identifiers and a false authority", chain: workload({ keyIds: false }, rogue) },
  {
    reason: "untrusted",
    what: "an intermediate that was not sent",
    chain: workload({}, example.intermediate()).slice(0, 1),
  },
  { reason: "untrusted", what: "a bundle without authorities", chain: workload(), bundles: trust() },
  {
    reason: "untrusted",
    what: "an authority that was taken out of the bundle",
    chain: workload(),
    bundles: trust(rogue),
  },
  { reason: "untrusted", what: "a leaf that signed itself", chain: selfSigned.chain },
  {
    reason: "untrusted",
    what: "a leaf that signed itself and is in the bundle",
    chain: selfSigned.chain,
    bundles: trust(selfSigned),
  },
  leaf("untrusted", "the name of an issuer that did not sign", { issuer: commonName("somebody else") }),
  under(
    "untrusted",
    "an RSA signature that says it is of ECDSA",
    { keyType: "rsa-2048" },
    {
      algorithm: algorithmOf(workloadKey.privateKey, "sha256"),
    },
  ),
  leafInBundle(),
  { reason: "no-bundle", what: "an unknown trust domain", chain: workload({ id: "spiffe://unknown.org/api" }) },
  {
    reason: "no-bundle",
    what: "a trust domain below a known one",
    chain: workload({ id: "spiffe://sub.example.org/api" }),
  },
  {
    reason: "no-bundle",
    what: "a trust domain that objects inherit",
    chain: workload({ id: "spiffe://constructor/api" }),
  },
  { reason: "no-bundle", what: "a trust domain that objects have", chain: workload({ id: "spiffe://__proto__/api" }) },
  { reason: "no-bundle", what: "no bundles", chain: workload(), bundles: new Map() },
  {
    reason: "untrusted",
    what: "an ID of the other trust domain, whose bundle we have as well",
    chain: workload({ id: "spiffe://other.org/api" }),
  },
];

const PATH: readonly HostileCase[] = [
  { reason: "issuer-not-ca", what: "a workload that signs", chain: workload({}, workloadAsIssuer) },
  below("issuer-not-ca", "an intermediate that is no CA", { ca: false }),
  below("issuer-not-ca", "an intermediate without basic constraints", { ca: null }),
  below("issuer-not-ca", "an intermediate without keyCertSign", { keyUsage: [6] }),
  below("issuer-not-ca", "an intermediate without key usage", { keyUsage: null }),
  below("expired", "an expired intermediate", { notAfter: NOW - SECOND }),
  below("not-yet-valid", "an intermediate of tomorrow", { notBefore: NOW + HOUR }),
  below("unknown-critical-extension", "an intermediate that demands what we don't know", {
    extensions: [extension("2.5.29.36", true, sequence(element(0x80, Buffer.of(0))))],
  }),
  below("unacceptable-key", "an intermediate with an RSA key of 1024 bits", { keyType: "rsa-1024" }),
  below("unacceptable-key", "an intermediate on secp256k1", { keyType: "secp256k1" }),
  below("unacceptable-signature", "an intermediate signed with SHA-1", { digest: "sha1" }),
  under("expired", "an expired authority", { notBefore: NOW - 2 * HOUR, notAfter: NOW - SECOND }),
  under("not-yet-valid", "an authority of tomorrow", { notBefore: NOW + HOUR }),
  under("issuer-not-ca", "an authority of version 1", { version: 1 }),
  under("issuer-not-ca", "an authority without key usage", { keyUsage: null }),
  under("issuer-not-ca", "an authority that is no CA", { ca: false }),
  under("unacceptable-key", "an authority with an RSA key of 1024 bits", { keyType: "rsa-1024" }),
  under("unknown-critical-extension", "an authority that demands what we don't know", {
    extensions: [extension("1.3.6.1.4.1.99999.1", true, Buffer.from([5, 0]))],
  }),
  deeper("an intermediate below an authority that allows none", forge.authority(undefined, { pathLength: 0 }), 1),
  deeper("two intermediates below an authority that allows one", forge.authority(undefined, { pathLength: 1 }), 2),
  {
    reason: "path-too-long",
    what: "an intermediate below an intermediate that allows none",
    chain: workload({}, example.intermediate({ pathLength: 0 }).intermediate({ subject: commonName("lower") })),
  },
  under("name-constraint", "an authority for another trust domain", { permitted: [uriName("other.org")] }),
  under("name-constraint", "an authority for trust domains below this one", { permitted: [uriName(".example.org")] }),
  under("name-constraint", "an authority for a trust domain that ends alike", { permitted: [uriName("ample.org")] }),
  under("name-constraint", "an authority for anything but this", { excluded: [uriName("example.org")] }),
  constrainedStranger(),
  under("name-constraint", "an authority for nothing", { excluded: [uriName("")] }),
  under(
    "name-constraint",
    "an authority for certain DNS names",
    { permitted: [dnsName("example.org")] },
    { dns: ["localhost"] },
  ),
  under(
    "name-constraint",
    "an authority that may not name addresses",
    { excluded: [element(0x87, Buffer.alloc(8))] },
    { ips: ["127.0.0.1"] },
  ),
  under("name-constraint", "an authority for certain subjects", { permitted: [element(0xa4, commonName("x"))] }),
  below("name-constraint", "an intermediate for another trust domain", { permitted: [uriName("other.org")] }),
  constrainedAbove(),
  constrainedFurtherAbove(),
];

const WORK: readonly HostileCase[] = [
  { reason: "no-certificate", what: "nothing", chain: [] },
  { reason: "chain-too-long", what: "eleven certificates", chain: Array.from({ length: 11 }, () => workload()[0]!) },
  leaf("chain-too-large", "more bytes than a chain may have", {
    extensions: [extension("1.3.6.1.4.1.99999.1", false, Buffer.alloc(MAX_CHAIN_BYTES))],
  }),
  leaf("malformed-certificate", "an extension that is nested too deep", {
    ca: null,
    extensions: [extension("2.5.29.19", false, nested(5000))],
  }),
  { reason: "too-much-work", what: "intermediates that all signed one another", chain: ring() },
  {
    reason: "too-much-work",
    what: "the seventeenth of authorities that only their keys tell apart",
    ...namesakes(MAX_SIGNATURE_CHECKS + 1),
  },
];

/** Chains that must be refused, by what is wrong with them. */
export const HOSTILE: Readonly<Record<string, readonly HostileCase[]>> = {
  "who it says it is": IDENTITY,
  "what a leaf may be": PROFILE,
  "how it is written": ENCODING,
  "who vouches for it": TRUST_IN_WHOM,
  "the way to the authority": PATH,
  "how much work it is": WORK,
};

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

/** Nobody has its private half, and making a real one would take minutes. */
function hugeRsaKey(): Buffer {
  const modulus = (1n << 16383n) | 1n;
  const key = sequence(integer(modulus), integer(65537));
  return sequence(sequence(oid("1.2.840.113549.1.1.1"), element(0x05)), bitString(key));
}

function pointOffCurve(): Buffer {
  const { x, y } = coordinates();
  return keyInfo(Buffer.concat([Buffer.of(4), y, x]));
}

/** The outermost length in one byte more than it needs. */
function longerLength(der: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0x30, 0x83, 0), der.subarray(2)]);
}

function flipped(der: Buffer, index: number): Buffer {
  const copy = Buffer.from(der);
  copy[index]! ^= 1;
  return copy;
}

/** The same bytes with the one occurrence of `from` replaced; throws when there is none, or nothing would be tested. */
function replaced(der: Buffer, from: string | Buffer, to: string | Buffer): Buffer {
  const copy = Buffer.from(der);
  const index = copy.indexOf(from);
  if (index === -1 || from.length !== to.length) throw new Error("nothing to replace");
  Buffer.from(to).copy(copy, index);
  return copy;
}

function nested(depth: number): Buffer {
  let inner = sequence();
  for (let level = 1; level < depth; level++) inner = sequence(inner);
  return inner;
}

function leafInBundle(): HostileCase {
  const issued = rogue.issue({ id: ID, key: workloadKey });
  return {
    reason: "untrusted",
    what: "a leaf that is in the bundle itself",
    chain: issued.chain,
    bundles: trust(issued),
  };
}

function deeper(what: string, authority: Issuer, intermediates: number): HostileCase {
  let issuer = authority;
  for (let level = 0; level < intermediates; level++)
    issuer = issuer.intermediate({ subject: commonName(`level ${level}`) });
  return { reason: "path-too-long", what, chain: workload({}, issuer), bundles: trust(authority) };
}

/** The workload is within the constraints; it is the intermediate that has a name outside. */
function constrainedAbove(): HostileCase {
  const authority = forge.authority("spiffe://example.org", { permitted: [uriName("example.org")] });
  const chain = workload({}, authority.intermediate({ id: "spiffe://other.org" }));
  return {
    reason: "name-constraint",
    what: "an intermediate outside of what its authority may sign",
    chain,
    bundles: trust(authority),
  };
}

/** The intermediate has no names that could be outside; the constraints reach through it to the workload. */
function constrainedFurtherAbove(): HostileCase {
  const authority = forge.authority(undefined, { permitted: [uriName("other.org")] });
  const chain = workload({}, authority.intermediate());
  const what = "a workload outside of what the authority above its issuer may sign";
  return { reason: "name-constraint", what, chain, bundles: trust(authority) };
}

/** Which host a URI has that is no SPIFFE ID is anybody's guess; an authority with constraints may not sign for it. */
function constrainedStranger(): HostileCase {
  const authority = forge.authority(undefined, { excluded: [uriName("other.org")] });
  const chain = workload({}, authority.intermediate({ uris: ["https://example.org/"] }));
  return {
    reason: "name-constraint",
    what: "an intermediate with a URI of unknown host",
    chain,
    bundles: trust(authority),
  };
}

/** Nine authorities with one name and one key: any order of them is a way that leads nowhere, 9! in all. */
function ring(): readonly Buffer[] {
  const key = newKey("P-256");
  const subject = commonName("ring");
  const members = Array.from({ length: 9 }, (_, serial) =>
    forge.authority(undefined, { key, subject, serial: BigInt(serial + 1) }),
  );
  return [...workload({}, members[0]), ...members.map(({ der }) => der)];
}
