import { isUtf8 } from "node:buffer";
import { inspect } from "node:util";
import { DEFAULT_MAX_CONTENT_BYTES, MAX_KEY_BYTES } from "../contract/limits.ts";
import { invalidField, limitExceeded } from "./errors.ts";

/** One value of a secret. Text is kept as its UTF-8 bytes: a string could neither be wiped nor kept out of the heap. */
export interface ContentEntry {
  /** The name of the value: 1 to 253 of the characters A-Z a-z 0-9 . _ - */
  readonly key: string;
  /** Whether it was put as text or as bytes. */
  readonly kind: "text" | "binary";
  /** The bytes of the value. Text is in UTF-8. */
  readonly value: Uint8Array;
}

const KEY = /^[A-Za-z0-9._-]+$/;

/**
 * The values of one version of a secret. Printing or serializing it shows its size and nothing else: in a log, an
 * error, JSON, a debugger's console, a structured clone. Only `text`, `bytes` and `entries` return values.
 */
export class Content {
  #entries: readonly ContentEntry[];
  #isDisposed = false;

  private constructor(entries: readonly ContentEntry[]) {
    this.#entries = entries;
  }

  /** Bytes of all keys and values. */
  get byteLength(): number {
    return this.#entries.reduce((sum, entry) => sum + entry.key.length + entry.value.length, 0);
  }

  /**
   * Takes entries as they are: they were checked when they were written, or the server will check them.
   *
   * @internal
   */
  static unchecked(entries: readonly ContentEntry[]): Content {
    return new Content(entries);
  }

  /**
   * Checks entries that a caller sent: there is at least one, each key matches the grammar and occurs once, and all
   * keys and values together have at most `limit` bytes. Throws INVALID_FIELD or LIMIT_EXCEEDED.
   *
   * @internal
   */
  static parse(entries: readonly ContentEntry[], limit: number = DEFAULT_MAX_CONTENT_BYTES): Content {
    if (entries.length === 0) throw invalidField("data", "and binary_data are both empty; give at least one key");
    const seen = new Set<string>();
    for (const entry of entries) checkKey(field(entry), entry.key, seen);
    const content = new Content(entries);
    const bytes = content.byteLength;
    if (bytes > limit) throw limitExceeded(content.#largerField(), limit, "bytes", bytes, "the content");
    return content;
  }

  /** The limit is for both fields together; an error names the one that holds more. */
  #largerField(): string {
    const text = new Content(this.#entries.filter((entry) => entry.kind === "text"));
    return text.byteLength * 2 >= this.byteLength ? "data" : "binary_data";
  }

  /** The keys, in the order in which they were written. */
  keys(): string[] {
    return this.#entries.map(({ key }) => key);
  }

  /** The value of a key as text, or undefined when there is no such key. Throws RangeError when it is not UTF-8. */
  text(key: string): string | undefined {
    const value = this.bytes(key);
    if (value === undefined) return undefined;
    if (!isUtf8(value)) throw new RangeError(`the value of ${JSON.stringify(key)} is not UTF-8; read it with bytes()`);
    return Buffer.from(value.buffer, value.byteOffset, value.length).toString();
  }

  /** The value of a key, or undefined when there is no such key. These are the bytes that `dispose` overwrites. */
  bytes(key: string): Uint8Array | undefined {
    return this.entries().find((entry) => entry.key === key)?.value;
  }

  /** The values, in the order in which they were written. */
  entries(): readonly ContentEntry[] {
    if (this.#isDisposed) throw new TypeError("the content is disposed");
    return this.#entries;
  }

  /**
   * Overwrites the values with zeros and forgets them. Reading a value throws TypeError afterwards. Strings that `text`
   * has returned are copies, which JavaScript can't overwrite.
   */
  dispose(): void {
    for (const { value } of this.#entries) value.fill(0);
    this.#entries = [];
    this.#isDisposed = true;
  }

  /** The same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The size, and no value. */
  toString(): string {
    if (this.#isDisposed) return "[content: disposed]";
    return `[content: ${this.#entries.length} keys, ${this.byteLength} bytes]`;
  }

  /** The size, and no value. */
  toJSON(): string {
    return this.toString();
  }

  /** The size, and no value. */
  [inspect.custom](): string {
    return this.toString();
  }
}

function field(entry: ContentEntry): string {
  return entry.kind === "text" ? "data" : "binary_data";
}

/** Checks keys without values: each matches the grammar and occurs once. Throws INVALID_FIELD or LIMIT_EXCEEDED. */
export function checkKeys(field: string, keys: readonly string[]): void {
  const seen = new Set<string>();
  for (const key of keys) checkKey(field, key, seen);
}

/** Checks a key, and adds it to those seen before. */
function checkKey(field: string, key: string, seen: Set<string>): void {
  const bytes = Buffer.byteLength(key);
  if (bytes > MAX_KEY_BYTES) throw limitExceeded(field, MAX_KEY_BYTES, "bytes", bytes, `a key of ${field}`);
  if (!KEY.test(key)) throw invalidField(field, `contains ${shown(key)}; allowed are 1 or more of A-Z a-z 0-9 . _ -`);
  if (seen.has(key)) throw invalidField(field, `contains the key ${key} a second time`);
  seen.add(key);
}

function shown(key: string): string {
  return key === "" ? "an empty key" : `the key ${JSON.stringify(key)}`;
}
