import { createCipheriv } from "node:crypto";

/**
 * A second implementation of XChaCha20-Poly1305, from the drafts and node:crypto, to compare with the sealer. Without
 * it, a mistake in both the sealer and the vectors would not be found.
 */
export function referenceSeal(key: Buffer, nonce: Buffer, associated: Buffer, plaintext: Buffer): Buffer {
  // draft-irtf-cfrg-xchacha-03, section 2.3
  const subkey = hchacha20(key, nonce.subarray(0, 16));
  const shortNonce = Buffer.concat([Buffer.alloc(4), nonce.subarray(16)]);
  const cipher = createCipheriv("chacha20-poly1305", subkey, shortNonce, { authTagLength: 16 });
  cipher.setAAD(associated, { plaintextLength: plaintext.length });
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** draft-irtf-cfrg-xchacha-03, section 2.2. */
export function hchacha20(key: Buffer, nonce: Buffer): Buffer {
  const input = Buffer.concat([Buffer.from("expand 32-byte k"), key, nonce]);
  const state = Uint32Array.from({ length: 16 }, (_, word) => input.readUInt32LE(word * 4));
  for (let round = 0; round < 10; round++) doubleRound(state);
  const output = Buffer.alloc(32);
  for (let word = 0; word < 4; word++) {
    output.writeUInt32LE(state[word]!, word * 4);
    output.writeUInt32LE(state[word + 12]!, word * 4 + 16);
  }
  return output;
}

function doubleRound(state: Uint32Array): void {
  for (let column = 0; column < 4; column++) quarterRound(state, column, column + 4, column + 8, column + 12);
  for (let row = 0; row < 4; row++) {
    quarterRound(state, row, 4 + ((row + 1) % 4), 8 + ((row + 2) % 4), 12 + ((row + 3) % 4));
  }
}

/** RFC 8439, section 2.1. */
function quarterRound(state: Uint32Array, a: number, b: number, c: number, d: number): void {
  const step = (to: number, from: number, mixed: number, bits: number) => {
    state[to]! += state[from]!;
    const word = state[mixed]! ^ state[to]!;
    state[mixed] = (word << bits) | (word >>> (32 - bits));
  };
  step(a, b, d, 16);
  step(c, d, b, 12);
  step(a, b, d, 8);
  step(c, d, b, 7);
}
