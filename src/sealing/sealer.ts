/**
 * Seals bytes so that they open only with the same key and the same context. The context says what the bytes are and
 * where they belong (see context.ts); sealed bytes that were moved elsewhere do not open there.
 */
export interface Sealer {
  /** The sealed form: header, nonce, ciphertext, tag. In memory that no other Buffer shows. */
  seal(plaintext: Uint8Array, context: string): Buffer;

  /** The plaintext, in memory that no other Buffer shows. Throws {@link SealBroken}. */
  open(sealed: Uint8Array, context: string): Buffer;

  /** By how many bytes the sealed form is longer than the plaintext. */
  readonly overhead: number;
}

/** Why sealed bytes did not open. */
export type SealFailure =
  /** Shorter than a header, a nonce and a tag. */
  | "truncated"
  /** A format or an algorithm that this release does not know. */
  | "unknown format"
  /** Sealed with another data key. */
  | "unknown key"
  /** The tag does not fit: bytes or context are not those that were sealed. */
  | "not authentic";

/** Sealed bytes did not open. Carries no part of them. */
export class SealBroken extends Error {
  override readonly name = "SealBroken";
  readonly failure: SealFailure;

  constructor(failure: SealFailure) {
    super(`sealed bytes do not open: ${failure}`);
    this.failure = failure;
  }
}
