import sodium from "sodium-native";
import { dataKeyContext } from "./context.ts";
import type { RandomFill } from "./random.ts";
import { SealBroken } from "./sealer.ts";
import { SecretKey } from "./secret-key.ts";
import { XChaChaSealer } from "./xchacha-sealer.ts";

/**
 * A data key in its stored form: sealed by the root key, in the same format as contents (xchacha-sealer.ts), and bound
 * to its purpose, its store and its number. The key id in the header is the fingerprint of the root key.
 */
export interface WrappedKey {
  /** The number of the data key. It is the key id in the header of everything that the key seals. */
  readonly keyId: number;
  readonly wrapped: Buffer;
}

/** Why a data key could not be unwrapped. */
export type DataKeyFailure =
  /** It was wrapped by another root key. */
  | "wrong root key"
  /** It was wrapped by this root key, but was altered since, or comes from another store. */
  | "damaged";

/** A data key could not be unwrapped. */
export class DataKeyBroken extends Error {
  override readonly name = "DataKeyBroken";
  readonly failure: DataKeyFailure;

  constructor(failure: DataKeyFailure, cause: SealBroken) {
    super(`the data key can't be unwrapped: ${failure}`, { cause });
    this.failure = failure;
  }
}

/** Wraps a data key. It does not wipe either key. */
export function wrapDataKey(
  dataKey: SecretKey,
  keyId: number,
  rootKey: SecretKey,
  storeId: Buffer,
  random?: RandomFill,
): WrappedKey {
  const wrapped = rootSealer(rootKey, storeId, random).seal(dataKey.bytes, dataKeyContext(keyId));
  return { keyId, wrapped };
}

/** Unwraps a data key. Throws {@link DataKeyBroken}. */
export function unwrapDataKey({ keyId, wrapped }: WrappedKey, rootKey: SecretKey, storeId: Buffer): SecretKey {
  try {
    return SecretKey.take(rootSealer(rootKey, storeId).open(wrapped, dataKeyContext(keyId)));
  } catch (error) {
    if (!(error instanceof SealBroken)) throw error;
    throw new DataKeyBroken(error.failure === "unknown key" ? "wrong root key" : "damaged", error);
  }
}

function rootSealer(rootKey: SecretKey, storeId: Buffer, random?: RandomFill): XChaChaSealer {
  return new XChaChaSealer({ key: rootKey, keyId: fingerprint(rootKey), storeId }, random);
}

/**
 * The fingerprint of a root key: 32 bits of keyed BLAKE2b (RFC 7693), from which the key can't be computed. An
 * authentication tag that does not match shows only that something is wrong. The fingerprint shows whether the key is
 * the wrong one.
 */
function fingerprint(rootKey: SecretKey): number {
  const digest = Buffer.alloc(sodium.crypto_generichash_BYTES_MIN);
  sodium.crypto_generichash(digest, Buffer.from("coffer root key"), rootKey.bytes);
  return digest.readUInt32BE(0);
}
