import { readFileSync } from "node:fs";
import { describeObstacle } from "../files/file-access.ts";

/** The maximum size of the configuration and of a template, in bytes. */
const MAX_BYTES = 256 * 1024;

/** Reads a file of at most {@link MAX_BYTES}. Throws an Error whose message is to be written after the path of the file. */
export type ReadText = (path: string) => Buffer;

/** Reads a file of this machine. */
export const readMachineFile: ReadText = (path) => {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new Error(describeObstacle(path, (cause as NodeJS.ErrnoException).code), { cause });
  }
  if (bytes.length > MAX_BYTES) throw new Error(`is larger than ${MAX_BYTES} bytes`);
  return bytes;
};
