import { inspect } from "node:util";
import type { StringEntry } from "../contract/map-field.ts";
import { invalidOption } from "./client-error.ts";
import { textOf } from "./values.ts";

/** A path, a prefix, a key or another text: a string, or bytes in UTF-8. */
export type Text = string | Uint8Array;

/**
 * The arguments of calls as fields of requests. The client checks what TypeScript's types say and what encoding would
 * change. The server checks the limits. Each function throws {@link ClientError}.
 */

const MAX_VERSION = 2 ** 32 - 1;

/** A version, if there is one. Fractions are refused: encoding would truncate one, and so name another version. */
export function versionOf<Version extends number | undefined>(name: string, version: Version): Version {
  return wholeNumber(name, version, MAX_VERSION);
}

/** A version that a method requires. */
export function requiredVersion(name: string, version: number): number {
  if (version === undefined) throw invalidOption(`${name} is required`);
  return versionOf(name, version);
}

/**
 * A list of versions; empty if there is none. In a request, an empty list means the newest version. A program that
 * passes an empty list has found no version to change, so the list is refused.
 */
export function versionsOf(name: string, versions?: readonly number[]): readonly number[] {
  if (versions === undefined) return [];
  return filled(name, listOf(name, versions)).map((version) => versionOf("a version", version));
}

/**
 * The keys to read; empty if there is no list. In a request, an empty list means all keys. It is refused as an empty list
 * of versions is.
 */
export function keysOf(name: string, keys?: readonly Text[]): readonly string[] {
  return keys === undefined ? [] : filled(name, textsOf(name, keys));
}

/** A revision; 0 if there is none. */
export function revisionOf(name: string, revision = 0): number {
  return wholeNumber(name, revision, Number.MAX_SAFE_INTEGER);
}

/** A time or a duration in whole milliseconds, if there is one. */
export function millisecondsOf<Ms extends number | undefined>(name: string, ms: Ms): Ms {
  return wholeNumber(name, ms, Number.MAX_SAFE_INTEGER);
}

/** A boolean, if there is one. A text is refused: "false", as from an environment variable, would count as true. */
export function flagOf<Flag extends boolean | undefined>(name: string, flag: Flag): Flag {
  if (flag === undefined || typeof flag === "boolean") return flag;
  throw invalidOption(`${name} is neither true nor false`);
}

/** A list of texts; empty if there is none. */
export function textsOf(name: string, texts: readonly Text[] = []): readonly string[] {
  return listOf(name, texts).map((text) => textOf(`an element of ${name}`, text));
}

/** Labels by key; empty if there are none. */
export function labelsOf(name: string, labels: Readonly<Record<string, string>> = {}): readonly StringEntry[] {
  if (typeof labels !== "object" || labels === null || Array.isArray(labels))
    throw invalidOption(`${name} is not an object`);
  return Object.entries(labels).map(([key, value]) => [
    textOf(`a key of ${name}`, key),
    textOf(`the value of ${key} in ${name}`, value),
  ]);
}

// RFC 9562, 4: a UUID as text.
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A request_id, if there is one. */
export function requestIdOf(requestId: string | undefined): string | undefined {
  if (requestId === undefined || (typeof requestId === "string" && UUID.test(requestId))) return requestId;
  throw invalidOption("requestId is not a UUID");
}

function filled<Element>(name: string, list: readonly Element[]): readonly Element[] {
  if (list.length > 0) return list;
  throw invalidOption(`${name} is empty; leave it out for the default`);
}

/** A list. The elements of a string would be its characters. */
export function listOf<Element>(name: string, list: readonly Element[]): readonly Element[] {
  if (Array.isArray(list)) return list;
  throw invalidOption(`${name} is not an array`);
}

function wholeNumber<Value extends number | undefined>(name: string, value: Value, most: number): Value {
  if (value === undefined || (Number.isInteger(value) && value >= 0 && value <= most)) return value;
  throw invalidOption(`${name} is ${inspect(value)}; expected a whole number from 0 to ${most}`);
}
