import { inspect } from "node:util";
import sodium from "sodium-native";
import { type RandomFill, secureRandom } from "./random.ts";

/** The length of every key here: what XChaCha20-Poly1305 and BLAKE2b both take. */
export const KEY_BYTES = sodium.crypto_aead_xchacha20poly1305_ietf_KEYBYTES;

/**
 * A key in memory of libsodium's own: between guard pages, out of core dumps, locked against swapping as far as
 * RLIMIT_MEMLOCK allows, and read-only. The garbage collector never copies it. It shows nothing of itself wherever a
 * program prints things.
 */
export class SecretKey {
  readonly #memory: sodium.SecureBuffer;
  #wiped = false;

  private constructor(fill: RandomFill) {
    this.#memory = sodium.sodium_malloc(KEY_BYTES);
    fill(this.#memory);
    sodium.sodium_mprotect_readonly(this.#memory);
  }

  /** A new key. */
  static random(random: RandomFill = secureRandom): SecretKey {
    return new SecretKey(random);
  }

  /** Moves 32 bytes in; the source is zero afterwards. */
  static take(source: Buffer): SecretKey {
    if (source.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes, not ${source.length}`);
    const key = new SecretKey((memory) => source.copy(memory));
    source.fill(0);
    return key;
  }

  /** The key's memory itself: writing to it ends the process. Throws once the key is wiped. */
  get bytes(): Buffer {
    if (this.#wiped) throw new Error("the key is wiped");
    return this.#memory;
  }

  /** Overwrites the key. May be called twice; libsodium gets its memory back from the garbage collector. */
  wipe(): void {
    if (this.#wiped) return;
    this.#wiped = true;
    sodium.sodium_mprotect_readwrite(this.#memory);
    sodium.sodium_memzero(this.#memory);
  }

  toString(): string {
    return "[secret key]";
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
