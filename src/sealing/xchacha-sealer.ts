import sodium from "sodium-native";
import { BytePool, TRANSIENT } from "./byte-pool.ts";
import { KeyedHash } from "./keyed-hash.ts";
import { type KeyRecipient, type TransferredKey, boxedKey } from "./key-transfer.ts";
import { type RandomFill, drawnAhead, secureRandom } from "./random.ts";
import { SealBroken, type Sealer } from "./sealer.ts";
import type { SecretKey } from "./secret-key.ts";

/**
 * Sealed bytes, format 1. Integers are big-endian.
 *
 *     offset  size  field
 *          0     1  format: 1
 *          1     1  algorithm: 1, XChaCha20-Poly1305
 *          2     4  key id, the key that sealed this
 *          6    24  nonce, random
 *         30     n  ciphertext, as long as the plaintext
 *     30 + n    16  Poly1305 tag
 *
 * The algorithm is that of draft-irtf-cfrg-xchacha-03, section 2.3, which libsodium calls xchacha20poly1305_ietf. Its
 * associated data is the header (bytes 0 to 5), the store id (16 bytes) and the context, without separators: only the
 * context has a variable length, and it comes last.
 *
 * A nonce of 192 bits can be random without a limit on the number of messages: after 2^80 messages, the probability
 * that two nonces are equal is about 2^-33. Counters would repeat after an older copy of the data folder is restored.
 *
 * test/vectors/sealed-bytes.json has valid and invalid examples.
 */
const FORMAT = 1;
const ALGORITHM = 1;
const HEADER_BYTES = 6;
const NONCE_BYTES = sodium.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
const TAG_BYTES = sodium.crypto_aead_xchacha20poly1305_ietf_ABYTES;
const CIPHERTEXT_AT = HEADER_BYTES + NONCE_BYTES;
const OVERHEAD = CIPHERTEXT_AT + TAG_BYTES;

// The size of the buffer for associated data. It is enough for every path; a longer context gets a separate buffer.
const ASSOCIATED_BYTES = 2048;

/** The length of a store id in bytes. */
export const STORE_ID_BYTES = 16;

/** The key of a sealer. */
export interface SealingKey {
  /** The sealer uses the key without copying it, so it can't be used after the key is wiped. */
  readonly key: SecretKey;
  /** An unsigned 32-bit number that identifies this key among those of the same store. */
  readonly keyId: number;
  /** The id of the store, 16 bytes. Sealed bytes do not open in another store, not even with the same key. */
  readonly storeId: Buffer;
}

/** Seals with one key, in the format above. */
export class XChaChaSealer implements Sealer {
  readonly overhead = OVERHEAD;
  readonly #key: SecretKey;
  readonly #keyId: number;
  /** The header and the store id, with which all associated data of this key begins. */
  readonly #binding: Buffer;
  /** The buffer for the associated data of the next call. It always begins with the binding. */
  readonly #associated: Buffer;
  readonly #random: RandomFill;
  /** Created at the first use: most threads compute no digests. */
  #hash: KeyedHash | undefined;
  readonly #opened = new BytePool(TRANSIENT);
  readonly #sealed = new BytePool(TRANSIENT);

  /** `random` fills the nonces. */
  constructor({ key, keyId, storeId }: SealingKey, random: RandomFill = drawnAhead(secureRandom)) {
    if (storeId.length !== STORE_ID_BYTES) throw new RangeError(`a store id has ${STORE_ID_BYTES} bytes`);
    this.#key = key;
    this.#keyId = keyId;
    this.#binding = Buffer.alloc(HEADER_BYTES + STORE_ID_BYTES);
    this.#binding.set([FORMAT, ALGORITHM]);
    this.#binding.writeUInt32BE(keyId, 2);
    this.#binding.set(storeId, HEADER_BYTES);
    this.#random = random;
    this.#associated = Buffer.alloc(ASSOCIATED_BYTES);
    this.#binding.copy(this.#associated);
  }

  seal(plaintext: Uint8Array, context: string): Buffer {
    const sealed = this.#sealed.take(plaintext.length + OVERHEAD);
    const nonce = sealed.subarray(HEADER_BYTES, CIPHERTEXT_AT);
    this.#binding.copy(sealed, 0, 0, HEADER_BYTES);
    this.#random(nonce);
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
      sealed.subarray(CIPHERTEXT_AT),
      asBuffer(plaintext),
      this.#associatedData(context),
      null,
      nonce,
      this.#key.bytes,
    );
    return sealed;
  }

  open(sealed: Uint8Array, context: string): Buffer {
    const bytes = asBuffer(sealed);
    this.#checkHeader(bytes);
    const plaintext = this.#opened.take(bytes.length - OVERHEAD);
    const associated = this.#associatedData(context);
    // Outside of the try block, because a wiped key is a bug in Coffer and not damage of the bytes.
    const key = this.#key.bytes;
    try {
      sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        plaintext,
        null,
        bytes.subarray(CIPHERTEXT_AT),
        associated,
        bytes.subarray(HEADER_BYTES, CIPHERTEXT_AT),
        key,
      );
    } catch {
      // All lengths were checked above, so libsodium can only fail because of the tag.
      throw new SealBroken("not authentic");
    }
    return plaintext;
  }

  digest(parts: readonly Buffer[]): Buffer {
    this.#hash ??= new KeyedHash(this.#key, "digest");
    return this.#hash.digest(parts);
  }

  /** The key, encrypted for a thread that has the private key of `publicKey`. */
  transferTo(publicKey: Uint8Array): TransferredKey {
    return { keyId: this.#keyId, storeId: this.#binding.subarray(HEADER_BYTES), box: boxedKey(this.#key, publicKey) };
  }

  /** Creates a sealer with a key that another thread has sent. */
  static received({ keyId, storeId, box }: TransferredKey, recipient: KeyRecipient): XChaChaSealer {
    return new XChaChaSealer({ key: recipient.open(box), keyId, storeId: Buffer.from(storeId) });
  }

  /** Wipes the key. The sealer can't be used afterwards. */
  close(): void {
    this.#hash?.close();
    this.#key.wipe();
  }

  #checkHeader(bytes: Buffer): void {
    if (bytes.length < OVERHEAD) throw new SealBroken("truncated");
    if (bytes[0] !== FORMAT || bytes[1] !== ALGORITHM) throw new SealBroken("unknown format");
    if (bytes.readUInt32BE(2) !== this.#keyId) throw new SealBroken("unknown key");
  }

  #associatedData(context: string): Buffer {
    const needed = this.#binding.length + 3 * context.length;
    if (needed > this.#associated.length) return Buffer.concat([this.#binding, Buffer.from(context)]);
    const length = this.#associated.write(context, this.#binding.length);
    return this.#associated.subarray(0, this.#binding.length + length);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
