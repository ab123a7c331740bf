import { Content, type ContentEntry } from "../domain/content.ts";
import { SpiffeIdError } from "../spiffe/spiffe-id-error.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";
import { invalidOption } from "./client-error.ts";

/**
 * The values to put, by key. Strings are stored as text, bytes as binary. Use a Map for keys such as `__proto__`, which
 * an object literal can't have. A Content from `get` is stored unchanged.
 */
export type Values = Content | Readonly<Record<string, string | Uint8Array>> | ReadonlyMap<string, string | Uint8Array>;

/** Converts values to a content. The server checks keys and sizes. Throws {@link ClientError}. */
export function contentOf(values: Values): Content {
  if (values instanceof Content) return values;
  // The entries of a string are its characters, and those of an array have indexes as keys.
  if (typeof values !== "object" || values === null || Array.isArray(values))
    throw invalidOption("the values are neither an object nor a Map");
  const pairs = values instanceof Map ? [...values] : Object.entries(values);
  return Content.unchecked(pairs.map(([key, value]) => entryOf(key, value)));
}

/**
 * Reads the text of an option: a string, or bytes in UTF-8. `name` is the first word of the {@link ClientError}'s
 * message.
 */
export function textOf(name: string, value: string | Uint8Array): string {
  if (typeof value === "string") return wellFormed(name, value);
  if (!(value instanceof Uint8Array)) throw invalidOption(`${name} is neither a string nor a Uint8Array`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch (error) {
    throw invalidOption(`${name} is not UTF-8`, { cause: error });
  }
}

/** Reads a SPIFFE ID in any form. Throws {@link ClientError}. */
export function readSpiffeId(name: string, id: string | Uint8Array | SpiffeId): SpiffeId {
  if (id instanceof SpiffeId) return id;
  try {
    return SpiffeId.parse(id);
  } catch (error) {
    if (error instanceof SpiffeIdError) throw invalidOption(`${name} is not a SPIFFE ID: it ${error.message}`);
    throw invalidOption(`${name} is required: the SPIFFE ID of the server, such as spiffe://example.org/coffer`);
  }
}

function entryOf(key: string, value: string | Uint8Array): ContentEntry {
  const name = wellFormed("a key", key);
  if (typeof value === "string")
    return { key: name, kind: "text", value: Buffer.from(wellFormed(`the value of ${name}`, value)) };
  if (value instanceof Uint8Array) return { key: name, kind: "binary", value };
  // The message contains no part of the value, which may be a secret of another type.
  throw invalidOption(`the value of ${name} is neither a string nor a Uint8Array`);
}

/** Refuses half of a surrogate pair. Encoding would replace it by U+FFFD, and so store another value. */
function wellFormed(name: string, text: string): string {
  if (/\p{Surrogate}/u.test(text))
    throw invalidOption(`${name} has half of a surrogate pair, which UTF-8 can't encode`);
  return text;
}
