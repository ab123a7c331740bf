import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { MAX_CONFIGURABLE_CONTENT_BYTES } from "../contract/limits.ts";
import type { ContentEntry } from "../domain/content.ts";
import { describeObstacle } from "../files/file-access.ts";
import { CommandFailed } from "./command-failed.ts";
import { type Terminal, promptNewSecret } from "./terminal.ts";

/** Where `coffer put` reads a value from. */
type ValueSource =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "stdin" }
  | { readonly kind: "prompt" }
  | { readonly kind: "literal"; readonly text: string };

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

/**
 * Reads the values, in order. Their bytes are not changed; a value that is not UTF-8 becomes a binary entry. Throws
 * CommandFailed when a source can't be read. Also throws CommandFailed for an empty value, unless `allowEmpty` is set:
 * a bare Enter, an empty file, or a failed program in front of the pipe would otherwise overwrite the secret with
 * nothing.
 */
export async function readEntries(
  assignments: readonly Assignment[],
  terminal: Terminal,
  { allowEmpty = false }: { readonly allowEmpty?: boolean } = {},
): Promise<ContentEntry[]> {
  const entries: ContentEntry[] = [];
  for (const { key, source } of assignments) {
    const value = await readValue(key, source, terminal);
    if (value.length === 0 && !allowEmpty) {
      throw new CommandFailed("usage", `the value of ${key} is empty; use --allow-empty to store an empty value`);
    }
    entries.push({ key, kind: isUtf8(value) ? "text" : "binary", value });
  }
  return entries;
}

async function readValue(key: string, source: ValueSource, terminal: Terminal): Promise<Buffer> {
  switch (source.kind) {
    case "file":
      return readFile(key, source.file);
    case "stdin":
      return readBounded(terminal.stdin, "standard input");
    case "prompt":
      return promptNewSecret(key, terminal);
    case "literal":
      return Buffer.from(source.text);
  }
}

async function readFile(key: string, file: string): Promise<Buffer> {
  try {
    return await readBounded(createReadStream(file), file);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error && "code" in error)) throw error;
    const why = error.code === "EISDIR" ? "is a folder" : describeObstacle(file, String(error.code));
    throw new CommandFailed("usage", `can't read the value of ${key}: ${file} ${why}`);
  }
}

/**
 * Stops at the largest size that a server can accept: a wrong file may be a disk image, and standard input may never
 * end.
 */
async function readBounded(stream: AsyncIterable<Buffer>, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > MAX_CONFIGURABLE_CONTENT_BYTES) {
      throw new CommandFailed("usage", `${name} is larger than ${MAX_CONFIGURABLE_CONTENT_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
