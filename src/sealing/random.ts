import sodium from "sodium-native";

/** Fills a buffer with random bytes. A parameter, so that tests can choose the bytes. */
export type RandomFill = (target: Buffer) => void;

/** The generator of libsodium, which the kernel seeds. */
export const secureRandom: RandomFill = (target) => sodium.randombytes_buf(target);

// One system call for each nonce took a twelfth of the time of a Put. The buffered bytes become nonces, which are not
// secret. Keys are never taken from this buffer.
const AHEAD_BYTES = 6144;

/** Draws many bytes at once, and returns each of them once. */
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
