import { type SecureContextOptions, createSecureContext } from "node:tls";

/**
 * The groups for key exchange, most preferred first (RFC 8446 4.2.7). OpenSSL's default list contains ffdhe8192. One
 * handshake with it costs as much as eighty with X25519, and a client that offers only ffdhe8192 would choose that
 * cost.
 */
const GROUPS: readonly string[] = ["X25519MLKEM768", "X25519", "P-256", "P-384"];

/**
 * The signature schemes (RFC 8446 4.2.3): those for each kind of key that the verifier accepts (algorithms.ts), and
 * those of PKCS #1 1.5, which TLS 1.3 allows only for signatures in certificates. Ed448, RSA keys restricted to PSS,
 * brainpool curves, DSA, SHA-1 and SHA-224 are excluded: a peer that needs one of them is refused before its
 * certificate is verified.
 */
const SIGNATURE_SCHEMES: readonly string[] = [
  "ecdsa_secp256r1_sha256",
  "ecdsa_secp384r1_sha384",
  "ecdsa_secp521r1_sha512",
  "ed25519",
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512",
];

/**
 * OpenSSL's security level 2, 112 bits (SSL_CTX_set_security_level(3)): like the verifier, it accepts no RSA key below
 * 2,048 bits and no SHA-1 on a path. It is the default since Node 24; earlier releases have level 1. DEFAULT is the
 * list of ciphers for TLS 1.2, which is disabled.
 */
const CIPHERS = "DEFAULT@SECLEVEL=2";

/** The settings of a TLS context that restrict the algorithms. */
export type TlsAlgorithms = Readonly<Pick<SecureContextOptions, "minVersion" | "ciphers" | "sigalgs">> & {
  /** The names of the groups, separated by colons. */
  readonly ecdhCurve: string;
};

/** The restrictions of every handshake, as the server and as the client: TLS 1.3, and the accepted algorithms. */
export const TLS_ALGORITHMS: TlsAlgorithms = {
  minVersion: "TLSv1.3",
  ciphers: CIPHERS,
  ecdhCurve: GROUPS.filter(isKnown).join(":"),
  sigalgs: SIGNATURE_SCHEMES.join(":"),
};

/** Whether this OpenSSL supports the group. ML-KEM needs 3.5, and an unknown name in the list is an error. */
function isKnown(group: string): boolean {
  try {
    createSecureContext({ ecdhCurve: group });
    return true;
  } catch {
    return false;
  }
}
