import { Content, type ContentEntry } from "../domain/content.ts";
import { SpiffeIdError } from "../spiffe/spiffe-id-error.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";
import { invalidOption } from "./client-error.ts";

/**
 * The values to put, by key. A string is stored as text, bytes as binary. A Map may have keys such as `__proto__`, which
 * an object literal can't have. A Content, as `get` returns it, is put as it is.
 */
export type Values = Content | Readonly<Record<string, string | Uint8Array>> | ReadonlyMap<string, string | Uint8Array>;

/** The content that the values make. The server checks keys and sizes. Throws {@link ClientError}. */
export function contentOf(values: Values): Content {
  if (values instanceof Content) return values;
  const pairs = values instanceof Map ? [...values] : Object.entries(values);
  return Content.unchecked(pairs.map(([key, value]) => entryOf(key, value)));
}

/** Text of an option: a string, or bytes that are UTF-8. `name` begins the message of the {@link ClientError}. */
export function textOf(name: string, value: string | Uint8Array): string {
  if (typeof value === "string") return wellFormed(name, value);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch (error) {
    throw invalidOption(`${name} is not UTF-8`, { cause: error });
  }
}

/** A SPIFFE ID in any form. Throws {@link ClientError}. */
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
  // Neither the value nor a part of it: it may be a secret of another type.
  throw invalidOption(`the value of ${name} is neither a string nor a Uint8Array`);
}

/** Encoding replaces half of a surrogate pair by U+FFFD, and so would store another value than the one that was given. */
function wellFormed(name: string, text: string): string {
  if (/\p{Surrogate}/u.test(text))
    throw invalidOption(`${name} has half of a surrogate pair, which UTF-8 can't encode`);
  return text;
}
