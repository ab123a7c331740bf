import { constants } from "node:os";
import { posix } from "node:path";
import { MAX_KEY_BYTES } from "../contract/limits.ts";
import { parseAddress } from "../domain/address.ts";
import { isKeyText } from "../domain/key-text.ts";
import { parseSecretPath } from "../domain/secret-path.ts";
import { FileSet } from "./file-set.ts";

// Parsers for the values of the configuration. Each throws an Error whose message says what is expected. None quotes
// the value of `secret` or `key`, where a user may write the secret itself by mistake.

/** The name of a target: a label of metrics. */
export function parseTargetName(text: string): string {
  if (/^[a-z0-9][a-z0-9_-]{0,62}$/.test(text)) return text;
  throw new Error("expected 1 to 63 of the characters a-z 0-9 _ -, the first of them a letter or a digit");
}

/** The path of a secret. */
export function parseSecret(text: string): string {
  try {
    return parseSecretPath(text);
  } catch {
    throw new Error("expected the path of a secret, such as shop/api/db");
  }
}

/** A key of a secret. */
export function parseKey(text: string): string {
  if (/^[A-Za-z0-9._-]+$/.test(text) && text.length <= MAX_KEY_BYTES) return text;
  throw new Error("expected a key of a secret: 1 to 253 of the characters A-Z a-z 0-9 . _ -");
}

/** An absolute path, without `.` and `..`, and not below a folder of the kernel. */
export function parseDestination(text: string): string {
  if (isKeyText(text)) throw new Error("expected a path, not the text of a key or a certificate");
  const path = text.length > 1 ? text.replace(/\/$/, "") : text;
  if (!posix.isAbsolute(path) || posix.normalize(path) !== path || path === "/" || /\p{C}/u.test(path)) {
    throw new Error("expected an absolute path without . and ..");
  }
  if (/^\/(dev|proc|sys)(\/|$)/.test(path) && !path.startsWith("/dev/shm/")) {
    throw new Error("is below a folder that belongs to the kernel");
  }
  return path;
}

/** The name of a file in a directory. */
export function parseFileName(text: string): string {
  if (FileSet.isAllowed(text)) return text;
  throw new Error("expected the name of a file, without a slash, that does not begin with ..");
}

/** Permissions in octal, as for chmod. Only the owner may be able to change the file. */
export function parseFileMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new Error("expected three octal digits, such as 0400");
  const mode = Number.parseInt(text, 8);
  if (mode & 0o022) throw new Error("would let other users change the file");
  return mode;
}

/** A user id or a group id. Names are not looked up: containers have no complete list of users. */
export function parseId(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1) return Number(text);
  throw new Error("expected a number, such as 10001");
}

/** HOST:PORT. */
export function parseListen(text: string): { readonly host: string; readonly port: number } {
  const address = parseAddress(text);
  if (address.kind === "tcp") return address;
  throw new Error("expected HOST:PORT");
}

/** `true` or `false`. */
export function parseFlag(text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new Error("expected true or false");
}

/** A signal, such as HUP or SIGHUP. */
export function parseSignal(text: string): NodeJS.Signals {
  const name = text.startsWith("SIG") ? text : `SIG${text}`;
  if (Object.hasOwn(constants.signals, name)) return name as NodeJS.Signals;
  throw new Error("expected the name of a signal, such as HUP");
}

/** The name of a process. The kernel keeps the first 15 bytes (proc_pid_comm(5)). */
export function parseProcessName(text: string): string {
  if (/^[^/\p{C}]+$/u.test(text) && Buffer.byteLength(text) <= 15) return text;
  throw new Error("expected the name of a process, as ps -o comm shows it: at most 15 bytes, without a slash");
}

/** The name of a secret in a template. */
export function isTemplateName(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_]{0,62}$/.test(text);
}
