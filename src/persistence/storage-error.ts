import { dirname } from "node:path";
import { describeDenial } from "../files/file-access.ts";
import { isOutOfSpace } from "./free-space.ts";
import { lockHolder } from "./lock-holder.ts";
import { StoreRefused } from "./store-refused.ts";

/** Error codes of a disk that does not work, or of the connection to it. */
const DISK_CODES: ReadonlySet<string> = new Set(["EIO", "EUCLEAN", "EBADMSG", "ENXIO", "ENODEV"]);

/** Converts an error of SQLite or of the file system to a {@link StoreRefused}. Returns any other error unchanged. */
export function asStoreRefused(error: unknown, file: string): unknown {
  const { code, message } = error as { code?: unknown; message?: string };
  if (error instanceof StoreRefused || typeof code !== "string") return error;
  const options = { cause: error };
  if (code.startsWith("SQLITE_BUSY")) return new StoreRefused("in use", inUse(file), options);
  if (code.startsWith("SQLITE_NOTADB"))
    return new StoreRefused("not a store", `${file} is not a SQLite database`, options);
  if (code.startsWith("SQLITE_CORRUPT")) return new StoreRefused("damaged", `${file} is damaged: ${message}`, options);
  if (code.startsWith("SQLITE_FULL") || isOutOfSpace(error)) {
    return new StoreRefused("not accessible", `${file} ${describeDenial(dirname(file), "ENOSPC")}`, options);
  }
  if (code.startsWith("SQLITE_IOERR") || DISK_CODES.has(code)) return failingDisk(file, code, options);
  return new StoreRefused("not accessible", `${file} can't be used: ${message} (${code})`, options);
}

/**
 * The error for a disk that reports I/O errors. The message advises against a restore: an older copy lacks the changes
 * that were acknowledged since, and the disk may still return them.
 */
export function failingDisk(file: string, code: string, options?: ErrorOptions): StoreRefused {
  const advice =
    "the disk fails, which does not mean that the store is damaged; check dmesg, and start again before you restore";
  return new StoreRefused("failing disk", `${file} can't be read or written (${code}): ${advice}`, options);
}

/** The message for a database that another process has open. */
export function inUse(file: string): string {
  const holder = lockHolder(file);
  const who = holder === undefined ? "another process" : `process ${holder}`;
  const alone = `${who} has ${file} open: one server at a time; stop it or give this one another --data`;
  return `${alone}; to wait until it ends, use --lock-wait; in Kubernetes, use strategy: Recreate, or a StatefulSet`;
}
