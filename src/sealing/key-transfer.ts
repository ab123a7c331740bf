import sodium from "sodium-native";
import { KEY_BYTES, SecretKey } from "./secret-key.ts";

/** A data key on its way to another thread, encrypted to a {@link KeyRecipient}. */
export interface TransferredKey {
  readonly keyId: number;
  readonly storeId: Uint8Array;
  /** The key in a sealed box of libsodium (crypto_box_seal: X25519, XSalsa20-Poly1305). */
  readonly box: Uint8Array;
}

/**
 * Receives a data key from another thread. Messages between threads are ordinary memory, which can be swapped and is not
 * overwritten when it is freed. The key therefore crosses encrypted to a key pair that exists only in this thread, and
 * is decrypted into guarded memory.
 */
export class KeyRecipient {
  /** To be sent to the thread that has the data key. */
  readonly publicKey = Buffer.alloc(sodium.crypto_box_PUBLICKEYBYTES);
  readonly #privateKey = sodium.sodium_malloc(sodium.crypto_box_SECRETKEYBYTES);

  constructor() {
    sodium.crypto_box_keypair(this.publicKey, this.#privateKey);
  }

  /** Decrypts the key, and wipes the private key: it opens one box only. Throws if the box is for another recipient. */
  open(box: Uint8Array): SecretKey {
    try {
      return SecretKey.filledBy((memory) => {
        const isOpened = sodium.crypto_box_seal_open(memory, Buffer.from(box), this.publicKey, this.#privateKey);
        if (!isOpened) throw new Error("the data key was sent to another thread");
      });
    } finally {
      sodium.sodium_memzero(this.#privateKey);
    }
  }
}

/** Encrypts a key to the recipient with a public key. */
export function boxedKey(key: SecretKey, publicKey: Uint8Array): Uint8Array {
  const box = Buffer.alloc(KEY_BYTES + sodium.crypto_box_SEALBYTES);
  sodium.crypto_box_seal(box, key.bytes, Buffer.from(publicKey));
  return box;
}
