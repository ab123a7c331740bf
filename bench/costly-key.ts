import { type KeyObject, createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { CertificateForge } from "../test/support/certificate-forge.ts";
import { TRUST_DOMAIN } from "./workshop.ts";

/** OpenSSL allows an exponent of any size up to this modulus, and 64 bits above it (OPENSSL_RSA_SMALL_MODULUS_BITS). */
const MODULUS_BITS = 3072;

/** An odd number of 3,071 bits, all of them set: an exponentiation by it squares and multiplies at every bit. */
const EXPONENT = Buffer.alloc(MODULUS_BITS / 8, 0xff).fill(0x7f, 0, 1);

/**
 * A certificate with the public key that costs OpenSSL most to verify a signature with, and a private key for it that
 * signs at the usual cost: it belongs to the exponent 65,537. The signatures are wrong, which a verifier learns only
 * after its exponentiation.
 */
export function costlyKey(): { readonly chain: readonly Buffer[]; readonly key: KeyObject } {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: MODULUS_BITS });
  const jwk = privateKey.export({ format: "jwk" });
  const publicKey = createPublicKey({ key: { ...jwk, e: EXPONENT.toString("base64url") }, format: "jwk" });
  const id = `spiffe://${TRUST_DOMAIN.name}/costly`;
  const { chain } = new CertificateForge().selfSigned({ id, key: { publicKey, privateKey } });
  return { chain, key: createPrivateKey({ key: jwk, format: "jwk" }) };
}
