import fs from "node:fs";
import type { FileSystem } from "../../src/agent/file-system.ts";

/** Thrown at the call at which a {@link crashingFiles} stops, and at each later one: the process has been killed. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** The calls that change something. The others are not counted, and neither is openSync of a file that exists. */
const CHANGING: readonly string[] = [
  ...["fchmodSync", "fchownSync", "fsyncSync", "mkdirSync", "mkdtempSync", "openSync"],
  ...["renameSync", "rmSync", "symlinkSync", "unlinkSync", "writeFileSync"],
];

/** A file system whose process is killed. */
export interface CrashingFiles {
  readonly files: FileSystem;
  /** The names of the changing calls so far. */
  readonly calls: readonly string[];
}

/**
 * The real file system, until `survived` calls have changed something. The next such call has no effect, except that
 * writeFileSync writes half of the bytes. No later call has an effect either, so that no clean-up can run.
 */
export function crashingFiles(survived = Number.POSITIVE_INFINITY): CrashingFiles {
  const calls: string[] = [];
  const files = new Proxy(fs, {
    get: (target, name: keyof FileSystem) => {
      const real = target[name] as (...words: unknown[]) => unknown;
      return (...words: unknown[]) => {
        if (calls.length > survived) throw new Killed(name);
        if (!CHANGING.includes(name) || isReading(name, words)) return real(...words);
        calls.push(name);
        if (calls.length <= survived) return real(...words);
        if (name === "writeFileSync") half(words);
        throw new Killed(name);
      };
    },
  });
  return { files: files as FileSystem, calls };
}

function isReading(name: string, [, flags]: readonly unknown[]): boolean {
  return name === "openSync" && (Number(flags) & fs.constants.O_CREAT) === 0;
}

function half([descriptor, bytes]: readonly unknown[]): void {
  const content = bytes as Uint8Array;
  fs.writeFileSync(descriptor as number, content.subarray(0, content.length >> 1));
}
