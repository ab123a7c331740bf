import { readFileSync } from "node:fs";
import type { SealFailure } from "../../../src/sealing/sealer.ts";
import { SecretKey } from "../../../src/sealing/secret-key.ts";
import { XChaChaSealer } from "../../../src/sealing/xchacha-sealer.ts";

/** test/vectors/sealed-bytes.json; all bytes in hex. */
export interface SealedVectors {
  readonly key: string;
  readonly keyId: number;
  readonly storeId: string;
  readonly cases: readonly SealedCase[];
}

interface SealedCase {
  readonly name: string;
  readonly path: string;
  readonly version: number;
  readonly sealed: string;
  /** The plaintext, or the failure if the bytes can't be opened. */
  readonly plaintext?: string;
  readonly failure?: SealFailure;
}

export const vectors = JSON.parse(readFileSync("test/vectors/sealed-bytes.json", "utf8")) as SealedVectors;

/** A sealer with the key of the vectors, and with a fixed nonce if `nonce` is set. */
export function vectorSealer(nonce?: Buffer): XChaChaSealer {
  const key = SecretKey.take(Buffer.from(vectors.key, "hex"));
  const sealingKey = { key, keyId: vectors.keyId, storeId: Buffer.from(vectors.storeId, "hex") };
  return nonce === undefined
    ? new XChaChaSealer(sealingKey)
    : new XChaChaSealer(sealingKey, (target) => nonce.copy(target));
}
