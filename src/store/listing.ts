import type { PathPrefix, SecretPath } from "../domain/secret-path.ts";
import type { Memory } from "./memory.ts";
import { newest, type StoredSecret } from "./secret.ts";

/** A question for one page of secrets. */
export interface ListQuery {
  readonly prefix: PathPrefix;
  /** The page begins after this path; undefined: at the beginning. */
  readonly after: string | undefined;
  /** The most secrets that the page may have, at least 1. */
  readonly limit: number;
  /**
   * A text that is not less than the given one, and not greater than the next path that the caller may see: the path
   * itself, if that is one. Undefined when there is no such path.
   */
  readonly atOrAfter: (text: string) => string | undefined;
}

/** Where a page is found: {@link Memory} in a store. */
export type OrderedSecrets = Pick<Memory, "atOrAfter">;

/** One page of secrets. */
export interface ListPage {
  readonly secrets: readonly StoredSecret[];
  /** The last path of the page, after which the next page begins; undefined: there is none. */
  readonly next: SecretPath | undefined;
}

/**
 * Finds a page of the secrets whose newest version is not deleted. Each step examines one path. Where the page ends
 * depends only on what the caller may see: a page that ended after so many hidden paths, or a token for a next page that
 * has only hidden ones, would let the caller spell out their names by paths of its own. The store may change between two
 * steps.
 */
export function* findPage(secrets: OrderedSecrets, query: ListQuery): Generator<void, ListPage, void> {
  const { prefix, after, limit, atOrAfter } = query;
  const found: StoredSecret[] = [];
  let start = atOrAfter(after === undefined ? prefix : behind(after));
  while (start !== undefined) {
    const secret = secrets.atOrAfter(start);
    yield;
    if (!secret?.path.startsWith(prefix)) break;
    start = atOrAfter(secret.path);
    if (start !== secret.path) continue;
    start = atOrAfter(behind(secret.path));
    if (newest(secret).state.kind !== "live") continue;
    if (found.length === limit) return { secrets: found, next: found.at(-1)?.path };
    found.push(secret);
  }
  return { secrets: found, next: undefined };
}

/** The least text that is greater than a path. */
function behind(path: string): string {
  return `${path}\0`;
}
