import type { PathPrefix, SecretPath } from "../domain/secret-path.ts";
import type { Label } from "./command.ts";
import type { Revision } from "./revision.ts";
import type { ReadableMemory } from "./memory.ts";
import { type StoredSecret, newest, stateAt } from "./secret.ts";

/** A query for one page of secrets. */
export interface ListQuery {
  readonly prefix: PathPrefix;
  /** The page begins after this: the `next` of the previous page. Undefined for the first page. */
  readonly after: string | undefined;
  /** The maximum number of secrets and folders of the page, at least 1. */
  readonly limit: number;
  /** Whether paths that contain "/" after the prefix are answered as folders. */
  readonly isFolded: boolean;
  /** If not empty, the page has only secrets that have all of these labels and that the caller may describe. */
  readonly labels: readonly Label[];
  /** Whether the caller may describe a secret. */
  readonly isDescribable: (path: SecretPath) => boolean;
  /** Whether the page also has secrets whose newest version can't be read, and secrets without a version. */
  readonly showDeleted: boolean;
  /**
   * Returns where the next path that the caller may see can be, at or after `text`. If `text` itself is such a path,
   * returns `text`. Returns undefined if there is no such path.
   */
  readonly atOrAfter: (text: string) => string | undefined;
}

/** The part of a memory that finding a page requires. */
export type OrderedSecrets = Pick<ReadableMemory, "atOrAfter" | "revision">;

/** One page of secrets. */
export interface ListPage {
  readonly secrets: readonly StoredSecret[];
  /** With {@link ListQuery.isFolded}: the beginnings of the paths up to and including the next "/", ascending. */
  readonly folders: readonly string[];
  /** The last path or folder of the page, after which the next page begins; undefined if this is the last page. */
  readonly next: string | undefined;
  /** The time that decided which versions have expired, in milliseconds since the epoch. */
  readonly time: number;
  /** The revision of the store when the page was complete. */
  readonly revision: Revision;
}

/**
 * Finds a page of secrets; `time` decides which versions have expired. Each step examines one path, and the store may
 * change between two steps. The end of the page depends only on paths that the caller may see. Suppose that a page ended
 * after a number of hidden paths, or that there were a token for a next page with hidden paths only: a caller could then
 * find the hidden names letter by letter, by putting its own secrets between them.
 *
 * A folder is skipped by one lookup in the index, as soon as one secret in it is found that the page would list.
 */
export function* findPage(memory: OrderedSecrets, query: ListQuery, time: number): Generator<void, ListPage, void> {
  const { prefix, after, limit, atOrAfter } = query;
  const secrets: StoredSecret[] = [];
  const folders: string[] = [];
  let last: string | undefined;
  let next: string | undefined;
  let start = atOrAfter(after === undefined ? prefix : following(after));
  while (start !== undefined) {
    const secret = memory.atOrAfter(start);
    yield;
    if (!secret?.path.startsWith(prefix)) break;
    start = atOrAfter(secret.path);
    if (start !== secret.path) continue;
    const isListed = isVisible(secret, query, time);
    const folder = query.isFolded ? folderOf(secret.path, prefix) : undefined;
    start = atOrAfter(following(isListed && folder !== undefined ? folder : secret.path));
    if (!isListed) continue;
    if (secrets.length + folders.length === limit) {
      next = last;
      break;
    }
    last = folder ?? secret.path;
    if (folder === undefined) secrets.push(secret);
    else folders.push(folder);
  }
  return { secrets, folders, next, time, revision: memory.revision };
}

function isVisible(secret: StoredSecret, query: ListQuery, time: number): boolean {
  const { showDeleted, labels, isDescribable } = query;
  const version = newest(secret);
  if (!showDeleted && (version === undefined || stateAt(version, time) !== "live")) return false;
  return labels.length === 0 || (hasLabels(secret, labels) && isDescribable(secret.path));
}

function hasLabels({ settings }: StoredSecret, wanted: readonly Label[]): boolean {
  return wanted.every(([key, value]) => settings.labels.some((label) => label[0] === key && label[1] === value));
}

/** The path up to and including the first "/" after the prefix; undefined if there is none. */
function folderOf(path: SecretPath, prefix: PathPrefix): string | undefined {
  const slash = path.indexOf("/", prefix.length);
  return slash === -1 ? undefined : path.slice(0, slash + 1);
}

/** The smallest string that is greater than a path, or than all paths in a folder. */
function following(last: string): string {
  return last.endsWith("/") ? `${last.slice(0, -1)}0` : `${last}\0`;
}
