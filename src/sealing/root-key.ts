import { StartError } from "../domain/start-refused.ts";
import { KEY_BYTES, SecretKey } from "./secret-key.ts";

/** Why a root key is refused, or not made. */
export type RootKeyProblem =
  /** Neither 32 bytes nor a text of 64 hex or 44 base64 characters. */
  | "unknown form"
  /** 32 printable characters, which are a typed passphrase and not 256 random bits. */
  | "passphrase"
  /** The file is in the data folder, so that a copy of the store would include its key. */
  | "inside the data folder"
  /** The file for a new key already exists. */
  | "exists";

/**
 * A root key is refused, or not made. The message names the file and says what to do. It contains no part of the key.
 */
export class RootKeyRefused extends StartError {
  override readonly name = "RootKeyRefused";
  readonly problem: RootKeyProblem;

  constructor(problem: RootKeyProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

/**
 * Parses a root key: 32 raw bytes, 64 hex digits, or 44 characters of padded base64 (RFC 4648, section 4). Hex and
 * base64 may end with one line break. `source` is the name of the key in errors. Throws {@link RootKeyRefused}.
 */
export function parseRootKey(raw: Buffer, source: string): SecretKey {
  if (raw.length === KEY_BYTES) {
    if (raw.every(isTyped)) throw new RootKeyRefused("passphrase", `${source} ${PASSPHRASE}`);
    return SecretKey.take(Buffer.from(raw));
  }
  const text = withoutLineBreak(raw);
  const key = decode(text, HEX, 4) ?? decode(withoutPadding(text), BASE64, 6);
  if (key === undefined) throw new RootKeyRefused("unknown form", `${source} ${FORMS}, not ${raw.length} bytes`);
  return SecretKey.take(key);
}

/** Formats a root key as 64 hex digits and a line break. The caller wipes the text. */
export function rootKeyText(key: SecretKey): Buffer {
  const text = Buffer.alloc(KEY_BYTES * 2 + 1, LINE_FEED);
  const digit = (value: number) => value + (value < 10 ? 0x30 : 0x57);
  key.bytes.forEach((byte, at) => {
    text.set([digit(byte >> 4), digit(byte & 15)], at * 2);
  });
  return text;
}

const PASSPHRASE =
  "has 32 printable characters, which is a passphrase rather than a key; make a key with coffer root-key --out FILE";
const FORMS = "is not a root key: expected 32 bytes, 64 hex digits or 44 base64 characters";

const HEX = digitValues("0123456789abcdef", "0123456789ABCDEF");
const BASE64 = digitValues("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const PAD = 0x3d;

/** The value of each digit, by character code. */
function digitValues(...alphabets: readonly string[]): ReadonlyMap<number, number> {
  return new Map(alphabets.flatMap((digits) => Array.from(digits, (digit, value) => [digit.charCodeAt(0), value])));
}

function isTyped(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === 0x09;
}

function withoutLineBreak(raw: Buffer): Buffer {
  if (raw.at(-1) !== LINE_FEED) return raw;
  return raw.subarray(0, raw.at(-2) === CARRIAGE_RETURN ? -2 : -1);
}

function withoutPadding(text: Buffer): Buffer {
  return text.length === 44 && text[43] === PAD ? text.subarray(0, 43) : Buffer.alloc(0);
}

/**
 * Decodes 32 bytes from digits of `bits` bits, the most significant first. Returns undefined if there are too few or
 * too many digits, or if unused bits of the last one are set. Node's decoders are not used, because they need a string,
 * which can't be wiped.
 */
function decode(text: Buffer, digits: ReadonlyMap<number, number>, bits: number): Buffer | undefined {
  if (text.length !== Math.ceil((KEY_BYTES * 8) / bits)) return undefined;
  const bytes = Buffer.alloc(KEY_BYTES);
  let pending = 0;
  let pendingBits = 0;
  let at = 0;
  for (const character of text) {
    const digit = digits.get(character);
    if (digit === undefined) return undefined;
    pending = ((pending << bits) | digit) & 0xffff;
    pendingBits += bits;
    if (pendingBits < 8) continue;
    pendingBits -= 8;
    bytes[at++] = pending >> pendingBits;
  }
  const leftOver = pending & ((1 << pendingBits) - 1);
  return leftOver === 0 ? bytes : undefined;
}
