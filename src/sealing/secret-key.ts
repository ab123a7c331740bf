import { inspect } from "node:util";
import sodium from "sodium-native";
import { type RandomFill, secureRandom } from "./random.ts";

/** The length of a key. XChaCha20-Poly1305 and BLAKE2b both accept it. */
export const KEY_BYTES = sodium.crypto_aead_xchacha20poly1305_ietf_KEYBYTES;

/**
 * A key in memory that libsodium allocates: between guard pages, excluded from core dumps, locked against swapping as
 * far as RLIMIT_MEMLOCK allows, and read-only. The garbage collector never copies it. When the object is printed, it
 * shows nothing of the key.
 */
export class SecretKey {
  readonly #memory: sodium.SecureBuffer;
  #wiped = false;

  private constructor(fill: RandomFill) {
    this.#memory = sodium.sodium_malloc(KEY_BYTES);
    fill(this.#memory);
    sodium.sodium_mprotect_readonly(this.#memory);
  }

  /** Makes a random key. */
  static random(random: RandomFill = secureRandom): SecretKey {
    return new SecretKey(random);
  }

  /** Makes a key whose bytes `fill` writes into its memory. */
  static filledBy(fill: (memory: Buffer) => void): SecretKey {
    return new SecretKey(fill);
  }

  /** Makes a key from 32 bytes, and overwrites the source with zeros. */
  static take(source: Buffer): SecretKey {
    if (source.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes, not ${source.length}`);
    const key = new SecretKey((memory) => source.copy(memory));
    source.fill(0);
    return key;
  }

  /** The key's memory. A write to it crashes the process. Throws after the key was wiped. */
  get bytes(): Buffer {
    if (this.#wiped) throw new Error("the key is wiped");
    return this.#memory;
  }

  /** Overwrites the key with zeros. Can be called more than once. The garbage collector frees the memory. */
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
