import { type KeyObject, verify, type X509Certificate } from "node:crypto";
import { type DerElement, TAG } from "./der.ts";
import { DerFields, wholeBytes } from "./der-fields.ts";

/** The families of keys that we accept. */
type KeyKind = "ec" | "rsa" | "ed25519";

/** A public key that is good enough to trust. */
export interface PublicKey {
  readonly kind: KeyKind;
  readonly key: KeyObject;
}

/** How a signature was made. */
export interface SignatureAlgorithm {
  readonly kind: KeyKind;
  /** The hash, by the name that node:crypto knows it by; null where the scheme has its own. */
  readonly digest: "sha256" | "sha384" | "sha512" | null;
}

/** RSA keys are at least this long; shorter ones can be factored. */
const MIN_RSA_BITS = 2048;

/** Longer keys, and larger exponents, only serve to keep us busy: with 3,072 bits of exponent one check takes 10 ms. */
const MAX_RSA_BITS = 8192;
const MAX_RSA_EXPONENT = 2n ** 31n - 1n;

/** RFC 5480 2.2: the point with both of its coordinates. The other forms are optional, and OpenSSL alone reads them. */
const UNCOMPRESSED = 0x04;

// Both tables are keyed by the whole AlgorithmIdentifier, in hex. Its parameters are part of what is accepted: an EC key
// that brings its own curve parameters may claim a famous curve with a generator of the attacker's (CVE-2020-0601), and
// node:crypto would report it under that curve's name.
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

/** The algorithm that an AlgorithmIdentifier names, if signatures made with it are accepted. */
export function acceptedSignature(identifier: DerElement): SignatureAlgorithm | undefined {
  return SIGNATURES.get(identifier.der.toString("hex"));
}

/**
 * The key in a SubjectPublicKeyInfo, if it is good enough: EC on P-256, P-384 or P-521, Ed25519, or RSA of 2048 to 8192
 * bits. `certificate` is what OpenSSL read from the same bytes: it has the key at a seventh of the cost of decoding it
 * anew. Throws MalformedDer when it is no SubjectPublicKeyInfo.
 */
export function acceptedKey(info: DerElement, certificate: X509Certificate): PublicKey | undefined {
  const fields = new DerFields(info, "subjectPublicKeyInfo");
  const kind = KEYS.get(fields.take(TAG.sequence).der.toString("hex"));
  const bytes = wholeBytes(fields.take(TAG.bitString));
  fields.end();
  if (kind === undefined || (kind === "ec" && bytes[0] !== UNCOMPRESSED)) return undefined;
  const key = decodedKey(certificate);
  if (key === undefined || (kind === "rsa" && !isReasonableRsa(key))) return undefined;
  return { kind, key };
}

/** Whether the holder of `key` signed `data`. */
export function isSignedBy(key: PublicKey, algorithm: SignatureAlgorithm, data: Buffer, signature: Buffer): boolean {
  return key.kind === algorithm.kind && verify(algorithm.digest, data, key.key, signature);
}

/** Undefined for what OpenSSL can't make a key of, such as a point that is not on its curve. */
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
