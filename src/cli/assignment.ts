import { isUtf8 } from "node:buffer";
import type { ContentEntry } from "../domain/content.ts";
import { CommandFailed } from "./command-failed.ts";
import { type ValueSource, type ValueSurroundings, readValue } from "./value-source.ts";

/** One key and where its value comes from. */
export interface Assignment {
  readonly key: string;
  readonly source: ValueSource;
}

/**
 * Parses `key=@file`, `key=-`, `key=?`, `key=value`, and `key:=value`, whose value is always literal. The last form is
 * unambiguous because a key contains no colon (coffer.proto, "Limits"). Throws CommandFailed with all problems.
 */
export function parseAssignments(texts: readonly string[]): Assignment[] {
  const problems: string[] = [];
  const assignments = texts.flatMap((text, index) => {
    const { key, colon, rest = "" } = ASSIGNMENT.exec(text)?.groups ?? {};
    if (key !== undefined) return [{ key, source: colon ? literal(rest) : valueSource(rest) }];
    // The message does not quote the argument: if the key was forgotten, the argument is a secret.
    problems.push(`invalid argument ${index + 1}: expected key=@file, key=-, key=?, key=value or key:=value`);
    return [];
  });
  const fromStdin = assignments.filter(({ source }) => source.kind === "stdin");
  if (fromStdin.length > 1) problems.push("only one value can be read from standard input");
  problems.push(...repeatedKeys(assignments));
  if (problems.length > 0) throw new CommandFailed("usage", problems.join("\n"));
  return assignments;
}

const ASSIGNMENT = /^(?<key>[^=]+?)(?<colon>:?)=(?<rest>.*)$/s;

const literal = (text: string): ValueSource => ({ kind: "literal", text });

function valueSource(text: string): ValueSource {
  if (text === "-") return { kind: "stdin" };
  if (text === "?") return { kind: "prompt" };
  return text.startsWith("@") ? { kind: "file", file: text.slice(1) } : literal(text);
}

function repeatedKeys(assignments: readonly Assignment[]): string[] {
  const keys = assignments.map(({ key }) => key);
  const repeated = new Set(keys.filter((key, index) => keys.indexOf(key) !== index));
  return [...repeated].map((key) => `duplicate key ${key}`);
}

/** How values are read. */
export interface ReadingOptions {
  /** Accepts empty values. */
  readonly allowEmpty?: boolean;
  /** The folder of relative file names; the working folder by default. */
  readonly folder?: string;
}

/**
 * Reads the values, in order. Their bytes are not changed; a value that is not UTF-8 becomes a binary entry. Throws
 * CommandFailed when a source can't be read. Also throws CommandFailed for an empty value, unless `allowEmpty` is set:
 * a bare Enter, an empty file, or a failed program in front of the pipe would otherwise overwrite the secret with
 * nothing.
 */
export async function readEntries(
  assignments: readonly Assignment[],
  surroundings: ValueSurroundings,
  { allowEmpty = false, folder = "" }: ReadingOptions = {},
): Promise<ContentEntry[]> {
  const entries: ContentEntry[] = [];
  for (const { key, source } of assignments) {
    const value = await readValue(key, source, surroundings, folder);
    if (value.length === 0 && !allowEmpty) {
      throw new CommandFailed("usage", `the value of ${key} is empty; use --allow-empty to store an empty value`);
    }
    entries.push({ key, kind: source.kind !== "bytes" && isUtf8(value) ? "text" : "binary", value });
  }
  return entries;
}
