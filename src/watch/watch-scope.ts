import type { PathPrefix, SecretPath } from "../domain/secret-path.ts";
import type { WatchableMemory } from "../store/memory.ts";
import { LAST_PATH } from "../store/position.ts";

/** The position of the last entry whose start is not greater than a text; -1 if there is none. */
function lastAtOrBefore(entries: readonly ScopeEntry[], text: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.start ?? "") <= text) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** A path, or all paths with a prefix. */
export interface ScopeEntry {
  readonly start: string;
  readonly isPrefix: boolean;
}

/** The paths that a watch names: single paths, and all paths with one of its prefixes. */
export class WatchScope {
  readonly paths: readonly SecretPath[];
  readonly prefixes: readonly PathPrefix[];
  /** In string order, without those that an earlier prefix contains. So at most one entry covers a path. */
  readonly entries: readonly ScopeEntry[];

  constructor(paths: readonly SecretPath[], prefixes: readonly PathPrefix[]) {
    this.paths = [...new Set(paths)].sort();
    this.prefixes = [...new Set(prefixes)].sort();
    const named = [
      ...this.prefixes.map((start) => ({ start, isPrefix: true })),
      ...this.paths.map((start) => ({ start, isPrefix: false })),
    ].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : Number(b.isPrefix) - Number(a.isPrefix)));
    const entries: ScopeEntry[] = [];
    for (const entry of named) if (!covers(entries.at(-1), entry.start)) entries.push(entry);
    this.entries = entries;
  }

  /** The number of paths and prefixes that the watch names, each counted once. */
  get requested(): number {
    return this.paths.length + this.prefixes.length;
  }

  covers(path: string): boolean {
    return covers(this.entries[lastAtOrBefore(this.entries, path)], path);
  }

  /** The number of secrets that it covers. A path that it names counts, also if there is no secret. */
  size(memory: Pick<WatchableMemory, "count">): number {
    const sizes = this.entries.map(({ start, isPrefix }) => (isPrefix ? memory.count(start, start + LAST_PATH) : 1));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** A text that is not less than `text`, and not greater than the next path that it covers; undefined if there is none. */
  atOrAfter(text: string): string | undefined {
    const at = lastAtOrBefore(this.entries, text);
    return covers(this.entries[at], text) ? text : this.entries[at + 1]?.start;
  }
}

function covers(entry: ScopeEntry | undefined, text: string): boolean {
  if (entry === undefined) return false;
  return entry.isPrefix ? text.startsWith(entry.start) : text === entry.start;
}
