import sodium from "sodium-native";

/** Fills a buffer with unpredictable bytes. A parameter wherever a test must know the bytes. */
export type RandomFill = (target: Buffer) => void;

/** libsodium's generator, which the kernel seeds. */
export const secureRandom: RandomFill = (target) => sodium.randombytes_buf(target);

// One system call a nonce was a twelfth of what a Put costs. The bytes that wait here become nonces, which are no
// secret; keys are not drawn from it.
const AHEAD_BYTES = 6144;

/** Draws many bytes at once and hands each of them out one time. */
export function drawnAhead(fill: RandomFill): RandomFill {
  const pool = Buffer.alloc(AHEAD_BYTES);
  let used = pool.length;
  return (target) => {
    if (used + target.length > pool.length) {
      fill(pool);
      used = 0;
    }
    used += pool.copy(target, 0, used, used + target.length);
  };
}
