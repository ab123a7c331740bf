import fs from "node:fs";

/**
 * The calls of the file system with which the agent writes. A test passes its own, which records them, or fails at one.
 * They are synchronous: a few small files in memory take microseconds, and no other code of the process runs in between.
 */
export type FileSystem = Pick<
  typeof fs,
  | "closeSync"
  | "fchmodSync"
  | "fchownSync"
  | "fsyncSync"
  | "lstatSync"
  | "mkdirSync"
  | "mkdtempSync"
  | "openSync"
  | "readFileSync"
  | "readdirSync"
  | "readlinkSync"
  | "renameSync"
  | "rmSync"
  | "symlinkSync"
  | "unlinkSync"
  | "writeFileSync"
>;

/** The file system of this machine. */
export const machineFiles: FileSystem = fs;
