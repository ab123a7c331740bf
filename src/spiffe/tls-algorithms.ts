import { type SecureContextOptions, createSecureContext } from "node:tls";

/**
 * The groups for key exchange, most preferred first (RFC 8446 4.2.7). OpenSSL's own list has ffdhe8192 in it, of which one
 * handshake costs as much as eighty with X25519: a client that offers nothing else chooses what the server pays.
 */
const GROUPS: readonly string[] = ["X25519MLKEM768", "X25519", "P-256", "P-384"];

/**
 * The signature schemes (RFC 8446 4.2.3): one for each kind of key that the verifier accepts (algorithms.ts), and those of
 * PKCS #1 1.5, which TLS 1.3 has for signatures in certificates only. Left out are Ed448, RSA keys that are for PSS alone,
 * brainpool curves, DSA, SHA-1 and SHA-224: a peer that needs one of them fails before it is verified.
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
 * OpenSSL's security level 2, 112 bits (SSL_CTX_set_security_level(3)): it accepts no RSA key below 2,048 bits and no SHA-1
 * on a path, as the verifier does. Node 24 has it by default, earlier lines have level 1. The rest of the list is for
 * TLS 1.2, which is off.
 */
const CIPHERS = "DEFAULT@SECLEVEL=2";

/** The settings of a TLS context that say which algorithms may be used. */
export type TlsAlgorithms = Readonly<Pick<SecureContextOptions, "minVersion" | "ciphers" | "sigalgs">> & {
  /** The names of the groups, with colons between. */
  readonly ecdhCurve: string;
};

/** What every handshake is restricted to, as the server and as the client: TLS 1.3, and the algorithms that we accept. */
export const TLS_ALGORITHMS: TlsAlgorithms = {
  minVersion: "TLSv1.3",
  ciphers: CIPHERS,
  ecdhCurve: GROUPS.filter(isKnown).join(":"),
  sigalgs: SIGNATURE_SCHEMES.join(":"),
};

/** Whether this OpenSSL has the group. ML-KEM came with 3.5, and an unknown name in the list is an error. */
function isKnown(group: string): boolean {
  try {
    createSecureContext({ ecdhCurve: group });
    return true;
  } catch {
    return false;
  }
}
