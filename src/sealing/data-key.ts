import sodium from "sodium-native";
import { dataKeyContext } from "./context.ts";
import type { RandomFill } from "./random.ts";
import { SealBroken } from "./sealer.ts";
import { SecretKey } from "./secret-key.ts";
import { XChaChaSealer } from "./xchacha-sealer.ts";

/**
 * A data key as it is stored: sealed by the root key, in the same format as everything else (xchacha-sealer.ts), bound
 * to its purpose, its store and its number. The header's key id is the fingerprint of the root key.
 */
export interface WrappedKey {
  /** The number of the data key, which stands in the header of all that it seals. */
  readonly keyId: number;
  readonly wrapped: Buffer;
}

/** Why a data key did not unwrap. */
export type DataKeyFailure =
  /** It was wrapped by another root key. */
  | "wrong root key"
  /** It was wrapped by this root key, and was altered since, or brought from another store. */
  | "damaged";

/** A data key did not unwrap. */
export class DataKeyBroken extends Error {
  override readonly name = "DataKeyBroken";
  readonly failure: DataKeyFailure;

  constructor(failure: DataKeyFailure, cause: SealBroken) {
    super(`the data key does not unwrap: ${failure}`, { cause });
    this.failure = failure;
  }
}

/** Wraps a data key. The root key stays as it is: its owner wipes it. */
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
 * 32 bits of keyed BLAKE2b (RFC 7693): the same wherever the root key is the same, and of no help in finding it. A tag
 * that does not fit says only that something is wrong; this says that it is the key.
 */
function fingerprint(rootKey: SecretKey): number {
  const digest = Buffer.alloc(sodium.crypto_generichash_BYTES_MIN);
  sodium.crypto_generichash(digest, Buffer.from("coffer root key"), rootKey.bytes);
  return digest.readUInt32BE(0);
}
