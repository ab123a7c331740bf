import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { MAX_CONFIGURABLE_CONTENT_BYTES } from "../contract/limits.ts";
import type { ContentEntry } from "../domain/content.ts";
import { describeObstacle } from "../files/file-access.ts";
import { CommandFailed } from "./command-failed.ts";
import { type Terminal, promptNewSecret } from "./terminal.ts";

/** Where `coffer put` takes a value from. */
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
 * Reads `key=@file`, `key=-`, `key=?`, `key=value`, and `key:=value`, which is taken literally whatever it begins with: no
 * key holds a colon (coffer.proto, "Limits"). Throws CommandFailed with everything that is wrong.
 */
export function parseAssignments(texts: readonly string[]): Assignment[] {
  const problems: string[] = [];
  const assignments = texts.flatMap((text, index) => {
    const { key, colon, rest = "" } = ASSIGNMENT.exec(text)?.groups ?? {};
    if (key !== undefined) return [{ key, source: colon ? literal(rest) : valueSource(rest) }];
    // The text is not shown: whoever forgot the key has put a secret here.
    problems.push(`argument ${index + 1} is not of the form key=@file, key=-, key=?, key=value or key:=value`);
    return [];
  });
  const fromStdin = assignments.filter(({ source }) => source.kind === "stdin");
  if (fromStdin.length > 1) problems.push("only one value can come from standard input");
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
  return [...repeated].map((key) => `the key ${key} is given twice`);
}

/**
 * Fetches the values, in order. Bytes are taken exactly; those that are no UTF-8 become binary. Throws CommandFailed when
 * a source can't be read, and at an empty value unless `allowEmpty`: an Enter, an empty file or a program that has failed
 * before a pipe would otherwise replace the secret by nothing.
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
      throw new CommandFailed("usage", `the value of ${key} is empty; give --allow-empty to store it all the same`);
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

/** Gives up beyond what any server takes: the wrong file may be a disk image, and standard input may never end. */
async function readBounded(stream: AsyncIterable<Buffer>, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > MAX_CONFIGURABLE_CONTENT_BYTES) {
      throw new CommandFailed("usage", `${name} holds more than ${MAX_CONFIGURABLE_CONTENT_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
