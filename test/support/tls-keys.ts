import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto";

/** The key schedule and the record protection of TLS 1.3 (RFC 8446 5 and 7), for TLS_AES_128_GCM_SHA256 only. */

const HASH_BYTES = 32;
const NOTHING = Buffer.alloc(0);

/** Transcript-Hash, 4.4.1. */
export function transcriptHash(messages: readonly Uint8Array[]): Buffer {
  return createHash("sha256").update(Buffer.concat(messages)).digest();
}

export function hmac(key: Uint8Array, data: Uint8Array): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

/** HKDF-Expand-Label, 7.1. One block of HKDF suffices for all uses here. */
function expandLabel(secret: Uint8Array, label: string, context: Uint8Array, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = [Buffer.of(0, length, name.length), name, Buffer.of(context.length), context, Buffer.of(1)];
  return hmac(secret, Buffer.concat(info)).subarray(0, length);
}

/** Derive-Secret, 7.1. */
export function deriveSecret(secret: Uint8Array, label: string, messages: readonly Uint8Array[]): Buffer {
  return expandLabel(secret, label, transcriptHash(messages), HASH_BYTES);
}

/** The handshake secret, from the shared secret. */
export function handshakeSecret(agreed: Uint8Array): Buffer {
  const zero = Buffer.alloc(HASH_BYTES);
  return hmac(deriveSecret(hmac(zero, zero), "derived", []), agreed);
}

/** The master secret, which follows the handshake secret. */
export function masterSecret(handshake: Uint8Array): Buffer {
  return hmac(deriveSecret(handshake, "derived", []), Buffer.alloc(HASH_BYTES));
}

/** The key of a side's Finished message, which proves that it saw the same messages, 4.4.4. */
export function finishedKey(trafficSecret: Uint8Array): Buffer {
  return expandLabel(trafficSecret, "finished", NOTHING, HASH_BYTES);
}

/** The outer type of an encrypted record; the inner type is encrypted. */
export const ENCRYPTED = 23;

// The largest plaintext of a record, in bytes (5.1).
const MAX_PLAIN = 2 ** 14;
const TAG_BYTES = 16;

/**
 * Encrypts what one side sends, or decrypts what the other sent. One instance for each side and secret: the nonce of a
 * record contains its number.
 */
export class RecordKeys {
  readonly #key: Buffer;
  readonly #iv: Buffer;
  #sequence = 0;

  constructor(trafficSecret: Uint8Array) {
    this.#key = expandLabel(trafficSecret, "key", NOTHING, 16);
    this.#iv = expandLabel(trafficSecret, "iv", NOTHING, 12);
  }

  /** Encrypts into as many records as necessary. */
  protect(type: number, plain: Uint8Array): Buffer {
    const records: Buffer[] = [];
    for (let from = 0; from < plain.length; from += MAX_PLAIN - 1) {
      records.push(this.#protectOne(type, plain.subarray(from, from + MAX_PLAIN - 1)));
    }
    return Buffer.concat(records);
  }

  /** The content of a record, and its inner type. */
  open(header: Uint8Array, body: Buffer): { readonly type: number; readonly content: Buffer } {
    const decipher = createDecipheriv("aes-128-gcm", this.#key, this.#nonce()).setAAD(header);
    decipher.setAuthTag(body.subarray(-TAG_BYTES));
    const inner = Buffer.concat([decipher.update(body.subarray(0, -TAG_BYTES)), decipher.final()]);
    const end = inner.findLastIndex((byte) => byte !== 0);
    return { type: inner[end]!, content: inner.subarray(0, end) };
  }

  #protectOne(type: number, plain: Uint8Array): Buffer {
    const header = Buffer.of(ENCRYPTED, 3, 3, 0, 0);
    header.writeUInt16BE(plain.length + 1 + TAG_BYTES, 3);
    const cipher = createCipheriv("aes-128-gcm", this.#key, this.#nonce()).setAAD(header);
    return Buffer.concat([
      header,
      cipher.update(plain),
      cipher.update(Buffer.of(type)),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
  }

  #nonce(): Buffer {
    const nonce = Buffer.from(this.#iv);
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ this.#sequence++) >>> 0, 8);
    return nonce;
  }
}
