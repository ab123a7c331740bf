import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

/**
 * The format of a sealed file: a magic text, the number of the format, a salt, the ciphertext, and a tag. Each file has
 * its own key and nonce, derived from the key of the program and from the salt (HKDF-SHA-256, RFC 5869), so no nonce of
 * AES-256-GCM is ever used twice with one key. Everything before the ciphertext is authenticated with it.
 */
const MAGIC = Buffer.from("coffer cache\n");
const FORMAT = 1;
const SALT_BYTES = 32;
const KEY_BYTES = 32;
// NIST SP 800-38D, 5.2.1.1 and 5.2.1.2.
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = MAGIC.length + 1 + SALT_BYTES;
const CIPHER = "aes-256-gcm";

/** A sealed file can't be opened. `message` says why, after the name of the file. */
export class UnsealError extends Error {
  /** Always "UnsealError". */
  override readonly name = "UnsealError";
}

/** Seals `plaintext` with a key of 32 bytes. */
export function seal(plaintext: Uint8Array, key: Uint8Array): Buffer {
  const header = Buffer.concat([MAGIC, Buffer.of(FORMAT), randomBytes(SALT_BYTES)]);
  const cipher = createCipheriv(CIPHER, ...derive(key, header), { authTagLength: TAG_BYTES });
  cipher.setAAD(header);
  return Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** Opens what {@link seal} made. The caller wipes the plaintext. Throws {@link UnsealError}. */
export function unseal(sealed: Buffer, key: Uint8Array): Buffer {
  if (!sealed.subarray(0, MAGIC.length).equals(MAGIC)) throw new UnsealError("is not a sealed file of a cache");
  const format = sealed[MAGIC.length];
  if (format !== FORMAT) throw new UnsealError(`has format ${format}; this release reads format ${FORMAT}`);
  if (sealed.length < HEADER_BYTES + TAG_BYTES) throw new UnsealError("is damaged: it is too short");
  const header = sealed.subarray(0, HEADER_BYTES);
  const decipher = createDecipheriv(CIPHER, ...derive(key, header), { authTagLength: TAG_BYTES });
  decipher.setAAD(header);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const plaintext = decipher.update(sealed.subarray(HEADER_BYTES, -TAG_BYTES));
  try {
    // In GCM, the last call returns no bytes. It checks the tag.
    decipher.final();
    return plaintext;
  } catch (error) {
    plaintext.fill(0);
    throw new UnsealError("is damaged, or was sealed with another key", { cause: error });
  }
}

function derive(key: Uint8Array, header: Buffer): [key: Buffer, nonce: Buffer] {
  const salt = header.subarray(-SALT_BYTES);
  const bytes = Buffer.from(hkdfSync("sha256", key, salt, "coffer client cache, format 1", KEY_BYTES + NONCE_BYTES));
  return [bytes.subarray(0, KEY_BYTES), bytes.subarray(KEY_BYTES)];
}
