import { inspect } from "node:util";
import { DEFAULT_MAX_CONTENT_BYTES, MAX_KEY_BYTES } from "../contract/limits.ts";
import { invalidField, limitExceeded } from "./errors.ts";

/** One key of a secret and its value. Text is stored as UTF-8 bytes, because a string can't be overwritten. */
export interface ContentEntry {
  readonly key: string;
  readonly kind: "text" | "binary";
  readonly value: Uint8Array;
}

const KEY = /^[A-Za-z0-9._-]+$/;

/**
 * The content of one version of a secret. When it is printed in a log, an error, JSON or a debugger's console, it shows
 * only its size. Only {@link entries} returns the values.
 */
export class Content {
  readonly #entries: readonly ContentEntry[];

  private constructor(entries: readonly ContentEntry[]) {
    this.#entries = entries;
  }

  /** The number of bytes of all keys and values. */
  get byteLength(): number {
    return this.#entries.reduce((sum, entry) => sum + entry.key.length + entry.value.length, 0);
  }

  /** Wraps entries without checking them: they were checked when they were written, or the server will check them. */
  static unchecked(entries: readonly ContentEntry[]): Content {
    return new Content(entries);
  }

  /**
   * Checks the entries that a caller sent: there is at least one, each key is well-formed and occurs once, and all keys
   * and values have at most `limit` bytes. Throws INVALID_FIELD or LIMIT_EXCEEDED.
   */
  static parse(entries: readonly ContentEntry[], limit: number = DEFAULT_MAX_CONTENT_BYTES): Content {
    if (entries.length === 0) throw invalidField("data", "and binary_data are both empty; give at least one key");
    const seen = new Set<string>();
    for (const entry of entries) {
      checkKey(entry);
      if (seen.has(entry.key)) throw invalidField(field(entry), `contains the key ${entry.key} a second time`);
      seen.add(entry.key);
    }
    const content = new Content(entries);
    const bytes = content.byteLength;
    if (bytes > limit) throw limitExceeded(content.#largerField(), limit, "bytes", bytes, "the content");
    return content;
  }

  /** The limit applies to both fields together. The error names the larger one. */
  #largerField(): string {
    const text = new Content(this.#entries.filter((entry) => entry.kind === "text"));
    return text.byteLength * 2 >= this.byteLength ? "data" : "binary_data";
  }

  /** The entries, in the order in which they were written. */
  entries(): readonly ContentEntry[] {
    return this.#entries;
  }

  toString(): string {
    return `[content: ${this.#entries.length} keys, ${this.byteLength} bytes]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

function field(entry: ContentEntry): string {
  return entry.kind === "text" ? "data" : "binary_data";
}

function checkKey(entry: ContentEntry): void {
  const bytes = Buffer.byteLength(entry.key);
  if (bytes > MAX_KEY_BYTES) {
    throw limitExceeded(field(entry), MAX_KEY_BYTES, "bytes", bytes, `a key of ${field(entry)}`);
  }
  if (KEY.test(entry.key)) return;
  const shown = entry.key === "" ? "an empty key" : `the key ${JSON.stringify(entry.key)}`;
  throw invalidField(field(entry), `contains ${shown}; allowed are 1 or more of A-Z a-z 0-9 . _ -`);
}
