import { type KeyObject, verify, type X509Certificate } from "node:crypto";
import { type DerElement, MalformedDer, parseDer, TAG } from "./der.ts";
import { DerFields, wholeBytes } from "./der-fields.ts";

/** The kinds of accepted keys. */
type KeyKind = "ec" | "rsa" | "ed25519";

/** An accepted public key. */
export interface PublicKey {
  readonly kind: KeyKind;
  readonly key: KeyObject;
}

/** An accepted signature algorithm. */
export interface SignatureAlgorithm {
  readonly kind: KeyKind;
  /** The hash by its name in node:crypto; null if the scheme defines its own. */
  readonly digest: "sha256" | "sha384" | "sha512" | null;
}

/** The shortest accepted RSA key. Shorter ones may be factored. */
const MIN_RSA_BITS = 2048;

/**
 * Longer keys and larger exponents make verification expensive: with an exponent of 3,072 bits, one check takes 10 ms.
 */
const MAX_RSA_BITS = 8192;
const MAX_RSA_EXPONENT = 2n ** 31n - 1n;
const MAX_RSA_EXPONENT_BYTES = 4;

/**
 * RFC 5480 2.2: the point with both coordinates. Other forms are optional, and of the usual libraries only OpenSSL
 * reads them.
 */
const UNCOMPRESSED = 0x04;

// Both tables are keyed by the whole AlgorithmIdentifier in hex, including its parameters. An EC key with explicit
// curve parameters can claim a standard curve with a generator that the attacker chose (CVE-2020-0601), and node:crypto
// would report it under the name of that curve.
const KEYS: ReadonlyMap<string, KeyKind> = new Map([
  ["301306072a8648ce3d020106082a8648ce3d030107", "ec"], // id-ecPublicKey, P-256
  ["301006072a8648ce3d020106052b81040022", "ec"], // id-ecPublicKey, P-384
  ["301006072a8648ce3d020106052b81040023", "ec"], // id-ecPublicKey, P-521
  ["300d06092a864886f70d0101010500", "rsa"], // rsaEncryption
  ["300506032b6570", "ed25519"], // id-Ed25519
]);

const SIGNATURES: ReadonlyMap<string, SignatureAlgorithm> = new Map([
  ["300a06082a8648ce3d040302", { kind: "ec", digest: "sha256" }],
  ["300a06082a8648ce3d040303", { kind: "ec", digest: "sha384" }],
  ["300a06082a8648ce3d040304", { kind: "ec", digest: "sha512" }],
  ["300d06092a864886f70d01010b0500", { kind: "rsa", digest: "sha256" }],
  ["300d06092a864886f70d01010c0500", { kind: "rsa", digest: "sha384" }],
  ["300d06092a864886f70d01010d0500", { kind: "rsa", digest: "sha512" }],
  ["300506032b6570", { kind: "ed25519", digest: null }],
]);

/** The algorithm that an AlgorithmIdentifier names; undefined if it is not accepted. */
export function acceptedSignature(identifier: DerElement): SignatureAlgorithm | undefined {
  return SIGNATURES.get(identifier.der.toString("hex"));
}

/**
 * The key in a SubjectPublicKeyInfo, if it is EC on P-256, P-384 or P-521, Ed25519, or RSA of 2048 to 8192 bits;
 * otherwise undefined. `certificate` is the certificate that contains `info`, as OpenSSL read it. It provides the key
 * at a seventh of the cost of decoding `info` again. Throws MalformedDer if `info` is not a SubjectPublicKeyInfo.
 */
export function acceptedKey(info: DerElement, certificate: X509Certificate): PublicKey | undefined {
  const kind = acceptedKind(info);
  if (kind === undefined) return undefined;
  const key = decodedKey(certificate);
  if (key === undefined || (kind === "rsa" && !isReasonableRsa(key))) return undefined;
  return { kind, key };
}

/**
 * The kind of the key in a SubjectPublicKeyInfo, by its encoding alone; undefined if its algorithm, curve, form or size is
 * not accepted. OpenSSL decodes a key of these kinds, and checks a signature with it, in about a millisecond at most.
 * Throws MalformedDer if `info` is not a SubjectPublicKeyInfo.
 */
export function acceptedKind(info: DerElement): KeyKind | undefined {
  const fields = new DerFields(info, "subjectPublicKeyInfo");
  const kind = KEYS.get(fields.take(TAG.sequence).der.toString("hex"));
  const bytes = wholeBytes(fields.take(TAG.bitString));
  fields.end();
  if (kind === "ec" && bytes[0] !== UNCOMPRESSED) return undefined;
  return kind === "rsa" && !isShortRsa(bytes) ? undefined : kind;
}

/** Whether neither part of an RSAPublicKey (RFC 8017 A.1.1) is longer than accepted. */
function isShortRsa(bytes: Buffer): boolean {
  const [modulus, exponent] = parseDer(bytes).children;
  if (modulus === undefined || exponent === undefined) throw new MalformedDer("an RSA key lacks a field");
  // The first byte of a modulus of a whole number of bytes is zero, because it is positive.
  return modulus.value.length <= MAX_RSA_BITS / 8 + 1 && exponent.value.length <= MAX_RSA_EXPONENT_BYTES;
}

/** Whether `signature` is a signature of `data` by `key`. */
export function isSignedBy(key: PublicKey, algorithm: SignatureAlgorithm, data: Buffer, signature: Buffer): boolean {
  return key.kind === algorithm.kind && verify(algorithm.digest, data, key.key, signature);
}

/** Undefined if OpenSSL refuses the key, for example a point that is not on its curve. */
function decodedKey(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey;
  } catch {
    return undefined;
  }
}

function isReasonableRsa(key: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS) return false;
  return publicExponent > 1n && publicExponent % 2n === 1n && publicExponent <= MAX_RSA_EXPONENT;
}
