import { type KeyObject, createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { CertificateForge } from "../test/support/certificate-forge.ts";
import { TRUST_DOMAIN } from "./run-folder.ts";

/**
 * The largest modulus for which OpenSSL accepts an exponent of any size. Above it, OpenSSL accepts only exponents of at
 * most 64 bits (OPENSSL_RSA_SMALL_MODULUS_BITS).
 */
const MODULUS_BITS = 3072;

/** An odd number of 3,071 bits, all of them set: exponentiation squares and multiplies for each bit. */
const EXPONENT = Buffer.alloc(MODULUS_BITS / 8, 0xff).fill(0x7f, 0, 1);

/**
 * A certificate whose public key makes the verification of a signature as costly as OpenSSL allows, and a private key
 * that signs at the usual cost, because it belongs to the exponent 65,537. The signatures are wrong, but a verifier that
 * does not refuse the key detects this only after the exponentiation.
 */
export function costlyKey(): { readonly chain: readonly Buffer[]; readonly key: KeyObject } {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: MODULUS_BITS });
  const jwk = privateKey.export({ format: "jwk" });
  const publicKey = createPublicKey({ key: { ...jwk, e: EXPONENT.toString("base64url") }, format: "jwk" });
  const id = `spiffe://${TRUST_DOMAIN.name}/costly`;
  const { chain } = new CertificateForge().selfSigned({ id, key: { publicKey, privateKey } });
  return { chain, key: createPrivateKey({ key: jwk, format: "jwk" }) };
}
