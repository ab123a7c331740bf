import sodium from "sodium-native";
import { SecretKey } from "./secret-key.ts";

/** The length of a digest in bytes. */
const DIGEST_BYTES = 32;

/**
 * A keyed hash: BLAKE2b (RFC 7693) with a digest of 32 bytes. Its key is derived from another key and a purpose by the
 * same function, so that a digest is of no use for any other purpose.
 */
export class KeyedHash {
  readonly #key: SecretKey;

  constructor(key: SecretKey, purpose: string) {
    this.#key = SecretKey.filledBy((memory) => {
      sodium.crypto_generichash(memory, Buffer.from(`coffer ${purpose}`), key.bytes);
    });
  }

  /**
   * The digest of the parts, one after the other. The caller must mark where a part ends, because other parts with the
   * same bytes in sequence have the same digest.
   */
  digest(parts: readonly Buffer[]): Buffer {
    const digest = Buffer.alloc(DIGEST_BYTES);
    sodium.crypto_generichash_batch(digest, [...parts], this.#key.bytes);
    return digest;
  }

  /** Wipes the key. */
  close(): void {
    this.#key.wipe();
  }
}
