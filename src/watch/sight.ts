import { createHash } from "node:crypto";
import type { Authorizer } from "../authorization/authorizer.ts";
import type { PathScope } from "../authorization/path-scope.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { WatchScope } from "./watch-scope.ts";

// How many times two scopes are compared to find a path that both cover. Only unusual policies need more comparisons. For
// these, a prefix counts as readable.
const MOST_COMPARISONS = 32;

// The bytes of a fingerprint. It is not secret and protects nothing; it only has to differ for different rules.
const FINGERPRINT_BYTES = 16;

/** What a watch requests. */
export interface WatchQuery {
  readonly scope: WatchScope;
  /** Whether events have the content of the newest version. */
  readonly withValues: boolean;
}

/**
 * What one policy lets the caller of a watch see: the paths with the action watch, and with values also the action read.
 * Two sights with the same fingerprint allow the same paths of the same watch, on every thread and after every restart.
 */
export class Sight {
  readonly #fingerprint: string;
  readonly #scopes: readonly PathScope[];
  readonly #query: WatchQuery;

  constructor(authorizer: Authorizer, caller: SpiffeId, query: WatchQuery) {
    const actions = query.withValues ? (["watch", "read"] as const) : (["watch"] as const);
    this.#scopes = actions.map((action) => authorizer.scope(caller, action));
    this.#query = query;
    const { paths, prefixes } = query.scope;
    const patterns = actions.map((action) => authorizer.patterns(caller, action));
    const digest = createHash("sha256")
      .update(JSON.stringify([patterns, paths, prefixes]))
      .digest();
    this.#fingerprint = digest.subarray(0, FINGERPRINT_BYTES).toString("base64url");
  }

  get fingerprint(): string {
    return this.#fingerprint;
  }

  /** Whether the caller may see a path that the watch names. */
  allows(path: string): boolean {
    return this.#scopes.every((scope) => scope.covers(path));
  }

  /** A text that is not less than `text`, and not greater than the next path that {@link allows} at or after it. */
  atOrAfter(text: string): string | undefined {
    let at: string | undefined = text;
    for (const scope of this.#scopes) at = at === undefined ? undefined : scope.atOrAfter(at);
    return at;
  }

  /** The number of the paths and prefixes of the watch of which the caller may see at least one path. */
  get readable(): number {
    const { paths, prefixes } = this.#query.scope;
    const visible = prefixes.filter((prefix) => this.#reaches(prefix));
    return paths.filter((path) => this.allows(path)).length + visible.length;
  }

  /** Whether there can be a path with the prefix that every scope covers. */
  #reaches(prefix: string): boolean {
    let text: string | undefined = prefix;
    for (let i = 0; i < MOST_COMPARISONS; i++) {
      const next = this.atOrAfter(text);
      if (next === undefined || !next.startsWith(prefix)) return false;
      if (next === text) return true;
      text = next;
    }
    return true;
  }
}
