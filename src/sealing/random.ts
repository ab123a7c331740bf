import sodium from "sodium-native";

/** Fills a buffer with unpredictable bytes. A parameter wherever a test must know the bytes. */
export type RandomFill = (target: Buffer) => void;

/** libsodium's generator, which the kernel seeds. */
export const secureRandom: RandomFill = (target) => sodium.randombytes_buf(target);
