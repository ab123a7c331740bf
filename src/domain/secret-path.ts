import { MAX_PATH_BYTES } from "../contract/limits.ts";
import { invalidField, limitExceeded } from "./errors.ts";

/** The path of a secret, as {@link parseSecretPath} checked it. It is ASCII, so string order is byte order. */
export type SecretPath = string & { readonly __brand: "SecretPath" };

/** A prefix of paths, as {@link parsePathPrefix} checked it. */
export type PathPrefix = string & { readonly __brand: "PathPrefix" };

// The lookahead refuses the segments "." and "..". Workloads use paths as file names, and such a segment could name a
// file outside of the intended folder.
const SEGMENT = String.raw`(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+`;
const PATH = new RegExp(`^${SEGMENT}(?:/${SEGMENT})*$`);
const PREFIX = new RegExp(`^(?:${SEGMENT}/)*[A-Za-z0-9._-]*$`);
const NOT_ALLOWED = /[^A-Za-z0-9._/-]/u;

/** Checks a path against the grammar in coffer.proto. Throws INVALID_FIELD or LIMIT_EXCEEDED for `field`. */
export function parseSecretPath(text: string, field = "path"): SecretPath {
  checkLength(field, text);
  if (!PATH.test(text)) throw invalidField(field, pathProblem(text));
  return text as SecretPath;
}

/** Checks a prefix: it is empty, or a path can begin with it. Throws INVALID_FIELD or LIMIT_EXCEEDED for `field`. */
export function parsePathPrefix(text: string, field = "prefix"): PathPrefix {
  checkLength(field, text);
  if (!PREFIX.test(text)) throw invalidField(field, pathProblem(text));
  return text as PathPrefix;
}

function checkLength(field: string, text: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_PATH_BYTES) throw limitExceeded(field, MAX_PATH_BYTES, "bytes", bytes);
}

function pathProblem(text: string): string {
  if (text === "") return "is empty";
  const found = NOT_ALLOWED.exec(text);
  if (found) return `contains ${JSON.stringify(found[0])}; allowed are A-Z a-z 0-9 . _ - and / between segments`;
  if (text.startsWith("/")) return "begins with a slash";
  if (text.includes("//")) return "contains an empty segment (//)";
  if (text.endsWith("/")) return "ends with a slash";
  return 'contains "." or ".." as a segment';
}
