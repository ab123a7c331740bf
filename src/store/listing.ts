import type { PathPrefix, SecretPath } from "../domain/secret-path.ts";
import type { ReadableMemory } from "./memory.ts";
import { newest, type StoredSecret } from "./secret.ts";

/** A query for one page of secrets. */
export interface ListQuery {
  readonly prefix: PathPrefix;
  /** The page begins after this path; undefined for the first page. */
  readonly after: string | undefined;
  /** The maximum number of secrets of the page, at least 1. */
  readonly limit: number;
  /**
   * Returns where the next path that the caller may see can be, at or after `text`. If `text` itself is such a path,
   * returns `text`. Returns undefined if there is no such path.
   */
  readonly atOrAfter: (text: string) => string | undefined;
}

/** The part of a memory that finding a page requires. */
export type OrderedSecrets = Pick<ReadableMemory, "atOrAfter">;

/** One page of secrets. */
export interface ListPage {
  readonly secrets: readonly StoredSecret[];
  /** The last path of the page, after which the next page begins; undefined if this is the last page. */
  readonly next: SecretPath | undefined;
}

/**
 * Finds a page of the secrets whose newest version is not deleted. Each step examines one path, and the store may
 * change between two steps. The end of the page depends only on paths that the caller may see. Suppose that a page
 * ended after a number of hidden paths, or that there were a token for a next page with hidden paths only: a caller
 * could then find the hidden names letter by letter, by putting its own secrets between them.
 */
export function* findPage(secrets: OrderedSecrets, query: ListQuery): Generator<void, ListPage, void> {
  const { prefix, after, limit, atOrAfter } = query;
  const found: StoredSecret[] = [];
  let start = atOrAfter(after === undefined ? prefix : successor(after));
  while (start !== undefined) {
    const secret = secrets.atOrAfter(start);
    yield;
    if (!secret?.path.startsWith(prefix)) break;
    start = atOrAfter(secret.path);
    if (start !== secret.path) continue;
    start = atOrAfter(successor(secret.path));
    if (newest(secret).state.kind !== "live") continue;
    if (found.length === limit) return { secrets: found, next: found.at(-1)?.path };
    found.push(secret);
  }
  return { secrets: found, next: undefined };
}

/** The smallest string that is greater than a path. */
function successor(path: string): string {
  return `${path}\0`;
}
