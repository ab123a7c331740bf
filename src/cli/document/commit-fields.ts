import { type ParsedNode, isScalar } from "yaml";
import { parseUint32 } from "../../config/value.ts";
import type { Assignment } from "../assignment.ts";
import { parseTime, parseTtl } from "../expiry-text.ts";
import { readBase64Values, readValues } from "./document-values.ts";
import type { SecretDocument } from "../../files/secret-document.ts";

/**
 * Reads the value of a field. `what` is its name, for messages. If the value is invalid, records the problem and
 * returns undefined.
 */
export type ReadField<T> = (document: SecretDocument, node: ParsedNode, what: string) => T | undefined;

/** A text. */
export const text: ReadField<string> = (document, node, what) => document.text(node, what);

/** A number of 32 bits, such as a version. */
export const uint32 = parsedBy(parseUint32, "a whole number from 0 to 4294967295");

/** A time to live in milliseconds. */
export const ttl = parsedBy(parseTtl, "a number with ms, s, m, h or d, such as 30d");

/** A time in milliseconds since the epoch. */
export const time = parsedBy(parseTime, "a time of RFC 3339, such as 2027-01-31T12:00:00Z");

/** `true` or `false`, without quotes. */
export const boolean: ReadField<boolean> = (document, node, what) =>
  isScalar(node) && typeof node.value === "boolean"
    ? node.value
    : document.reject(node, `${what} must be true or false`);

/** The keys and values of a Put or a Patch. */
export const values: ReadField<readonly Assignment[]> = (document, node, what) =>
  readValues(document, node, what, ["file", "env", "base64"]);

/** The keys and binary values of a Put or a Patch. */
export const binaryValues: ReadField<readonly Assignment[]> = readBase64Values;

/** Labels by key. */
export const labels: ReadField<Readonly<Record<string, string>>> = (document, node, what) => {
  const pairs = document.fields(node, what).map(({ key, at, value }) => {
    const label = value === null ? document.reject(at, "the label has no value") : document.text(value, "a label");
    return [key, label ?? ""] as const;
  });
  return Object.fromEntries(pairs);
};

/** A list of texts. */
export const texts = listOf(text);

/** A list of versions. */
export const versions = listOf(uint32);

function listOf<T>(read: ReadField<T>): ReadField<readonly T[]> {
  return (document, node, what) =>
    document.items(node, what).flatMap((item) => {
      const value = read(document, item, `an entry of ${what}`);
      return value === undefined ? [] : [value];
    });
}

/** A text with a grammar. The message of the parser is not used, because it may quote the text. */
function parsedBy<T>(parse: (text: string) => T, expected: string): ReadField<T> {
  return (document, node, what) => {
    const text = document.text(node, what);
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch {
      return document.reject(node, `${what} is not ${expected}`);
    }
  };
}
