import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { MAX_CONFIGURABLE_CONTENT_BYTES } from "../contract/limits.ts";
import type { Environment } from "../config/option.ts";
import { describeObstacle } from "../files/file-access.ts";
import { CommandFailed } from "./command-failed.ts";
import { type Terminal, promptNewSecret } from "./terminal.ts";

/** Where a value comes from. */
export type ValueSource =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "stdin" }
  | { readonly kind: "prompt" }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "literal"; readonly text: string }
  /** Bytes that are stored as binary, even if they are UTF-8. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array };

/** The surroundings of a command from which it reads values. */
export interface ValueSurroundings extends Terminal {
  readonly env?: Environment;
}

/**
 * Reads the value of `key`. Its bytes are not changed. Relative file names are relative to `folder`, by default the
 * working folder. Throws CommandFailed when the source can't be read.
 */
export async function readValue(
  key: string,
  source: ValueSource,
  surroundings: ValueSurroundings,
  folder = "",
): Promise<Uint8Array> {
  switch (source.kind) {
    case "file":
      return readFile(`the value of ${key}`, folder === "" ? source.file : resolve(folder, source.file));
    case "stdin":
      return readBounded(surroundings.stdin, "standard input");
    case "prompt":
      return promptNewSecret(key, surroundings);
    case "variable":
      return readVariable(key, source.name, surroundings);
    case "literal":
      return Buffer.from(source.text);
    case "bytes":
      return source.bytes;
  }
}

/** The maximum size of a document with values: base64 and escape sequences take more space than the values. */
const MAX_DOCUMENT_BYTES = 2 * MAX_CONFIGURABLE_CONTENT_BYTES;

/** Reads a document, or standard input if `file` is "-". Throws CommandFailed when it can't be read. */
export async function readDocument(what: string, file: string, { stdin }: Pick<Terminal, "stdin">): Promise<Buffer> {
  return file === "-"
    ? readBounded(stdin, "standard input", MAX_DOCUMENT_BYTES)
    : readFile(what, file, MAX_DOCUMENT_BYTES);
}

function readVariable(key: string, name: string, { env = {} }: ValueSurroundings): Buffer {
  const value = env[name];
  if (value === undefined) throw new CommandFailed("usage", `can't read the value of ${key}: ${name} is not set`);
  return Buffer.from(value);
}

async function readFile(what: string, file: string, limit = MAX_CONFIGURABLE_CONTENT_BYTES): Promise<Buffer> {
  try {
    return await readBounded(createReadStream(file), file, limit);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error && "code" in error)) throw error;
    const why = error.code === "EISDIR" ? "is a folder" : describeObstacle(file, String(error.code));
    throw new CommandFailed("usage", `can't read ${what}: ${file} ${why}`);
  }
}

/**
 * Stops at `limit`, by default the largest size that a server can accept: a wrong file may be a disk image, and standard
 * input may never end.
 */
async function readBounded(
  stream: AsyncIterable<Buffer>,
  name: string,
  limit = MAX_CONFIGURABLE_CONTENT_BYTES,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > limit) throw new CommandFailed("usage", `${name} is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
