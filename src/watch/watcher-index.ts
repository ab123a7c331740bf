import type { WatchScope } from "./watch-scope.ts";

/** Finds the watchers whose scope covers a path, in time that does not grow with the number of other watchers. */
export class WatcherIndex<Watcher extends { readonly scope: WatchScope }> {
  readonly #byPath = new Map<string, Set<Watcher>>();
  readonly #byPrefix = new Map<string, Set<Watcher>>();
  /** The number of prefixes in {@link #byPrefix} by their length. */
  readonly #lengths = new Map<number, number>();

  add(watcher: Watcher): void {
    for (const { start, isPrefix } of watcher.scope.entries) {
      if (!isPrefix) join(this.#byPath, start, watcher);
      else if (join(this.#byPrefix, start, watcher)) this.#count(start.length, 1);
    }
  }

  delete(watcher: Watcher): void {
    for (const { start, isPrefix } of watcher.scope.entries) {
      if (!isPrefix) leave(this.#byPath, start, watcher);
      else if (leave(this.#byPrefix, start, watcher)) this.#count(start.length, -1);
    }
  }

  /** Calls `task` once with each watcher of the path. */
  forEach(path: string, task: (watcher: Watcher) => void): void {
    this.#byPath.get(path)?.forEach(task);
    for (const length of this.#lengths.keys())
      if (length <= path.length) this.#byPrefix.get(path.slice(0, length))?.forEach(task);
  }

  #count(length: number, change: 1 | -1): void {
    const count = (this.#lengths.get(length) ?? 0) + change;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
  }
}

/** Returns whether the watcher is the first of its key. */
function join<Watcher>(sets: Map<string, Set<Watcher>>, key: string, watcher: Watcher): boolean {
  const set = sets.get(key);
  if (set !== undefined) set.add(watcher);
  else sets.set(key, new Set([watcher]));
  return set === undefined;
}

/** Returns whether the watcher was the last of its key. */
function leave<Watcher>(sets: Map<string, Set<Watcher>>, key: string, watcher: Watcher): boolean {
  const set = sets.get(key);
  if (set?.delete(watcher) !== true || set.size > 0) return false;
  return sets.delete(key);
}
