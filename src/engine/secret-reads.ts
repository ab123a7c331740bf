import { MAX_ANSWER_BYTES } from "../contract/limits.ts";
import { Content, type ContentEntry } from "../domain/content.ts";
import { CofferError, answerTooLarge, keyNotFound } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { Snapshot } from "../store/reads.ts";
import type { Version } from "../store/secret.ts";
import type { CallPermits } from "./permits.ts";

/** What a Get asks for. */
export interface GetQuery {
  /** 0 is the newest. */
  readonly version: number;
  /** The keys to return; empty means all. */
  readonly keys: readonly string[];
  /** 0 has no effect. */
  readonly ifVersionNot: number;
  readonly minRevision: number;
}

/** A version. The content is undefined if the version is the one in {@link GetQuery.ifVersionNot}. */
export interface ReadSecret {
  readonly version: Version;
  readonly content: Content | undefined;
}

/** One secret of a BatchGet, or why it can't be read. */
export interface BatchEntry {
  readonly path: SecretPath;
  readonly result: ReadSecret | CofferError;
}

/** Reads a version of a secret. Throws the errors of {@link Snapshot}, and KEY_NOT_FOUND. */
export function readSecret(
  snapshot: Snapshot,
  path: SecretPath,
  { version: number, keys, ifVersionNot }: Omit<GetQuery, "minRevision">,
): ReadSecret {
  const version = snapshot.version(path, number);
  if (version.number === ifVersionNot) return { version, content: undefined };
  const content = snapshot.open(path, version);
  return { version, content: keys.length === 0 ? content : selected(path, version, content, keys) };
}

/** Keeps some keys of a decrypted content, and overwrites the values of the others. */
function selected(path: SecretPath, { number }: Version, content: Content, keys: readonly string[]): Content {
  const wanted = new Set(keys);
  const kept: ContentEntry[] = [];
  for (const entry of content.entries()) {
    if (wanted.delete(entry.key)) kept.push(entry);
    else entry.value.fill(0);
  }
  const [missing] = wanted;
  if (missing === undefined) return Content.unchecked(kept);
  content.dispose();
  throw keyNotFound(path, number, missing);
}

// Bytes of an answer for each path, in addition to the content: the path, and the other fields of a version, or an error
// whose message and metadata name the path (MAX_PATH_BYTES each).
const ENTRY_BYTES = 2048;

// Bytes for each key, in addition to key and value: tags and lengths.
const KEY_BYTES = 16;

const NEWEST = { version: 0, keys: [], ifVersionNot: 0 };

/**
 * Reads the newest versions of secrets, one entry for each path. If a content does not fit in the answer, its entry is
 * ANSWER_TOO_LARGE. So are the entries of all contents after it, which are not decrypted: the size of the answer also
 * bounds the time that a call takes.
 */
export function readBatch(snapshot: Snapshot, permits: CallPermits, paths: readonly SecretPath[]): BatchEntry[] {
  let space = MAX_ANSWER_BYTES - paths.length * ENTRY_BYTES;
  const read = (path: SecretPath): ReadSecret => {
    permits.permit("read", path);
    // The sealed content is never longer than the encoded one, except for the nonce and the tag.
    const { sealed } = snapshot.version(path, 0);
    if (sealed.length > space + SEAL_BYTES) space = 0;
    if (space === 0) throw answerTooLarge(MAX_ANSWER_BYTES);
    const secret = readSecret(snapshot, path, NEWEST);
    space -= encodedBytes(secret.content);
    if (space >= 0) return secret;
    secret.content?.dispose();
    space = 0;
    throw answerTooLarge(MAX_ANSWER_BYTES);
  };
  return paths.map((path) => ({ path, result: resultOf(() => read(path)) }));
}

// The most bytes that sealing adds to a content.
const SEAL_BYTES = 64;

function encodedBytes(content: Content | undefined): number {
  if (content === undefined) return 0;
  return content.byteLength + content.keys().length * KEY_BYTES;
}

function resultOf(read: () => ReadSecret): ReadSecret | CofferError {
  try {
    return read();
  } catch (error) {
    if (error instanceof CofferError) return error;
    throw error;
  }
}
