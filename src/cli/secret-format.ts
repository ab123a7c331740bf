import type { Secret } from "../client/read-secret.ts";
import type { ContentEntry } from "../domain/content.ts";
import { CommandFailed } from "./command-failed.ts";
import { obeyedProblem } from "./run/obeyed-variable.ts";
import { showTime, table } from "./printable.ts";
import { variableProblem } from "./run/variable.ts";

/** The output formats of `coffer get`. */
export const SECRET_FORMATS = ["table", "json", "env", "raw"] as const;

export type SecretFormat = (typeof SECRET_FORMATS)[number];

/** Formats entries of a secret. `raw` is the bytes of one value, unchanged; the other formats end with a line break. */
export function formatSecret(secret: Secret, entries: readonly ContentEntry[], format: SecretFormat): Buffer {
  switch (format) {
    case "table":
      return Buffer.from(secretTable(entries));
    case "json":
      return Buffer.from(`${JSON.stringify(secretDocument(secret, entries), null, 2)}\n`);
    case "env":
      return Buffer.concat(entries.map(shellLine));
    case "raw":
      return onlyValue(secret, entries);
  }
}

function secretTable(entries: readonly ContentEntry[]): string {
  return table([["KEY", "VALUE"], ...entries.map((entry) => [entry.key, shownValue(entry)])]);
}

/** A value in a table: a text, or the size of a binary value. */
export function shownValue({ kind, value }: ContentEntry): string {
  return kind === "text" ? text(value) : `(${value.length} bytes)`;
}

/** A secret as an object for JSON. The fields have the names of coffer.proto; binary values are in base64. */
export function secretDocument(secret: Secret, entries: readonly ContentEntry[]): object {
  const { path, version, revision, createTime, expireTime, storeRevision } = secret;
  return {
    path,
    version,
    revision,
    create_time: showTime(createTime),
    ...(expireTime !== undefined && { expire_time: showTime(expireTime) }),
    store_revision: storeRevision,
    ...valueFields(entries),
  };
}

/** The values of a secret as fields of an object for JSON. */
export function valueFields(entries: readonly ContentEntry[]): object {
  const of = (kind: ContentEntry["kind"], show: (value: Uint8Array) => string) =>
    // fromEntries creates own properties, so the key "__proto__" does not change the prototype.
    Object.fromEntries(entries.filter((entry) => entry.kind === kind).map(({ key, value }) => [key, show(value)]));
  return {
    data: of("text", text),
    binary_data: of("binary", (value) => Buffer.from(value).toString("base64")),
  };
}

const QUOTE = Buffer.from("'");
const QUOTED_QUOTE = Buffer.from(String.raw`'\''`);

/**
 * `export KEY='value'`. A shell evaluates this line, and the writer of the secret chose the key, so the key is checked.
 * Within single quotes, sh takes every byte literally except the quote (POSIX.1, XCU 2.2.2) and NUL.
 */
function shellLine({ key, value }: ContentEntry): Buffer {
  const obeyed = obeyedProblem(key);
  const instead = `if this is intended, read the value alone, with coffer get PATH ${key}`;
  const problem = variableProblem(key, value) ?? (obeyed && `${obeyed}; ${instead}`);
  if (problem !== undefined) throw new CommandFailed("usage", problem);
  return Buffer.concat([Buffer.from(`export ${key}='`), quoted(value), Buffer.from("'\n")]);
}

function quoted(value: Uint8Array): Buffer {
  const parts: Uint8Array[] = [];
  let rest = Buffer.from(value);
  for (let at = rest.indexOf(QUOTE); at !== -1; at = rest.indexOf(QUOTE)) {
    parts.push(rest.subarray(0, at), QUOTED_QUOTE);
    rest = rest.subarray(at + 1);
  }
  return Buffer.concat([...parts, rest]);
}

function onlyValue({ path }: Secret, entries: readonly ContentEntry[]): Buffer {
  const [entry, second] = entries;
  if (entry !== undefined && second === undefined) return Buffer.from(entry.value);
  throw new CommandFailed("usage", `${path} has ${entries.length} keys; name the key to print as raw`);
}

function text(value: Uint8Array): string {
  return Buffer.from(value).toString();
}
