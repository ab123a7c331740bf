/**
 * Encrypts and authenticates bytes, so that they can be decrypted only with the same key and the same context. The
 * context says what the bytes are and where they belong (context.ts), so sealed bytes that were moved do not open in
 * the new place.
 */
export interface Sealer {
  /** Returns the sealed form: header, nonce, ciphertext and tag. Its memory is not shared with Node's buffer pool. */
  seal(plaintext: Uint8Array, context: string): Buffer;

  /** Returns the plaintext. Its memory is not shared with Node's buffer pool. Throws {@link SealBroken}. */
  open(sealed: Uint8Array, context: string): Buffer;

  /**
   * A keyed hash of the parts, one after the other, 32 bytes long. It has the same value as long as the store
   * has the same key, and can't be computed without the key.
   */
  digest(parts: readonly Buffer[]): Buffer;

  /** The number of bytes by which the sealed form is longer than the plaintext. */
  readonly overhead: number;
}

/** Why sealed bytes could not be opened. */
export type SealFailure =
  /** Shorter than a header, a nonce and a tag. */
  | "truncated"
  /** A format or an algorithm that this release does not know. */
  | "unknown format"
  /** Sealed with another key. */
  | "unknown key"
  /** The tag does not match: the bytes or the context differ from those that were sealed. */
  | "not authentic";

/** Sealed bytes could not be opened. The error contains no part of them. */
export class SealBroken extends Error {
  override readonly name = "SealBroken";
  readonly failure: SealFailure;

  constructor(failure: SealFailure) {
    super(`sealed bytes can't be opened: ${failure}`);
    this.failure = failure;
  }
}
