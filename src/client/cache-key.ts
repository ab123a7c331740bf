import { PrivateFileError, readPrivateFile } from "../files/private-file.ts";
import { invalidOption } from "./client-error.ts";

/** The length of a key, in bytes. */
const KEY_BYTES = 32;

const HEX = /^[0-9a-fA-F]{64}\r?\n?$/;
const BASE64 = /^[A-Za-z0-9+/]{43}=\r?\n?$/;

/**
 * Reads the key of a sealed file: 32 raw bytes, 64 hex digits, or 44 characters of padded base64 (RFC 4648, section 4), as
 * in the file of a root key. Hex and base64 may end with one line break. Only the owner of the file may have permission to
 * read it. The caller wipes the key. Throws {@link ClientError}, whose message contains no part of the key.
 */
export function readCacheKey(file: string): Buffer {
  const raw = read(file);
  const key = parse(raw);
  if (raw !== key) raw.fill(0);
  if (key?.length === KEY_BYTES) return key;
  throw invalidOption(`file.key: ${file} is not a key: expected 32 bytes, 64 hex digits or 44 base64 characters`);
}

function read(file: string): Buffer {
  try {
    return readPrivateFile(file);
  } catch (error) {
    if (!(error instanceof PrivateFileError)) throw error;
    throw invalidOption(`file.key: ${error.message}`, { cause: error });
  }
}

function parse(raw: Buffer): Buffer | undefined {
  if (raw.length === KEY_BYTES) {
    if (!raw.every(isTyped)) return raw;
    throw invalidOption("file.key has 32 printable characters, which is a passphrase rather than a key");
  }
  const text = raw.toString("latin1");
  if (HEX.test(text)) return Buffer.from(text.trimEnd(), "hex");
  return BASE64.test(text) ? Buffer.from(text.trimEnd(), "base64") : undefined;
}

function isTyped(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
