import { dirname } from "node:path";
import { describeDenial } from "../files/file-access.ts";
import { isOutOfSpace } from "./free-space.ts";
import { lockHolder } from "./lock-holder.ts";
import { StoreRefused } from "./store-refused.ts";

/** Codes of the file system that say that a disk, or what leads to it, does not work. */
const DISK_CODES: ReadonlySet<string> = new Set(["EIO", "EUCLEAN", "EBADMSG", "ENXIO", "ENODEV"]);

/** What an operator learns of an error of SQLite or of the file system. Anything else passes through. */
export function asStoreRefused(error: unknown, file: string): unknown {
  const { code, message } = error as { code?: unknown; message?: string };
  if (error instanceof StoreRefused || typeof code !== "string") return error;
  const options = { cause: error };
  if (code.startsWith("SQLITE_BUSY")) return new StoreRefused("in use", inUse(file), options);
  if (code.startsWith("SQLITE_NOTADB")) return new StoreRefused("not a store", `${file} is no database`, options);
  if (code.startsWith("SQLITE_CORRUPT")) return new StoreRefused("damaged", `${file} is damaged: ${message}`, options);
  if (code.startsWith("SQLITE_FULL") || isOutOfSpace(error)) {
    return new StoreRefused("not accessible", `${file} ${describeDenial(dirname(file), "ENOSPC")}`, options);
  }
  if (code.startsWith("SQLITE_IOERR") || DISK_CODES.has(code)) return failingDisk(file, code, options);
  return new StoreRefused("not accessible", `${file} can't be used: ${message} (${code})`, options);
}

/** An older copy of the store would lose what was acknowledged since, and the disk may yet give it back. */
export function failingDisk(file: string, code: string, options?: ErrorOptions): StoreRefused {
  const advice =
    "the disk fails, which says nothing about the store; look at dmesg, and start again before you restore";
  return new StoreRefused("failing disk", `${file} can't be read or written (${code}): ${advice}`, options);
}

/** Another process has the database open. */
export function inUse(file: string): string {
  const holder = lockHolder(file);
  const who = holder === undefined ? "another process" : `process ${holder}`;
  const alone = `${who} has ${file} open: one server at a time; stop it or give this one another --data`;
  return `${alone}; to take its place as soon as it ends: --lock-wait; in Kubernetes: strategy: Recreate, or a StatefulSet`;
}
