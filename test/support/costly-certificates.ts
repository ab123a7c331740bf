import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { extension } from "./certificate-forge.ts";
import { bitString, element, integer, octetString, oid, sequence } from "./der-writer.ts";

/** A prime p for which a square root modulo p takes long: p - 1 is divisible by 2^600 (Tonelli-Shanks). */
const PRIME = ((2n ** 60n + 45n) << 600n) + 1n;
const COORDINATE_BYTES = 83;

/** The compressed point with x = 2 on y^2 = x^3 + x + 5. OpenSSL computes a square root to find y. */
const POINT = Buffer.concat([Buffer.of(2), fieldElement(2n)]);

function fieldElement(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * COORDINATE_BYTES, "0"), "hex");
}

/**
 * The SubjectPublicKeyInfo of an EC key with explicit parameters of a curve (RFC 3279 2.3.5) that was chosen so that it takes
 * OpenSSL about 80 times as long as a handshake to decode it.
 */
export function costlyCurve(): Buffer {
  const field = sequence(oid("1.2.840.10045.1.1"), integer(PRIME));
  const coefficients = sequence(octetString(fieldElement(1n)), octetString(fieldElement(5n)));
  const parameters = sequence(integer(1), field, coefficients, octetString(POINT), integer(PRIME - 2n), integer(1));
  return sequence(sequence(oid("1.2.840.10045.2.1"), parameters), bitString(POINT));
}

/**
 * The SubjectPublicKeyInfo of an RSA key of 3,072 bits, the largest size at which OpenSSL accepts an exponent of any size, with
 * an exponent as long as the modulus.
 */
export function costlyExponent(): Buffer {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
  const e = Buffer.alloc(384, 0xff).fill(0x7f, 0, 1).toString("base64url");
  const key = createPublicKey({ key: { ...privateKey.export({ format: "jwk" }), e }, format: "jwk" });
  return key.export({ type: "spki", format: "der" });
}

/**
 * The extension cRLDistributionPoints (RFC 5280 4.2.1.13) with this number of names relative to the issuer. OpenSSL makes a copy
 * of the issuer's name for each.
 */
export function relativePoints(count: number): Buffer {
  const point = sequence(element(0xa0, element(0xa1, sequence(oid("2.5.4.3"), element(0x0c)))));
  return extension("2.5.29.31", false, sequence(...Array<Buffer>(count).fill(point)));
}
