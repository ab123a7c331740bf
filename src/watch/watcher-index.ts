import type { WatchScope } from "./watch-scope.ts";

/** Finds the watchers whose scope covers a path, in time that does not grow with the number of other watchers. */
export class WatcherIndex<Watcher extends { readonly scope: WatchScope }> {
  readonly #byPath = new Map<string, Set<Watcher>>();
  readonly #byPrefix = new Map<string, Set<Watcher>>();
  /** The number of prefixes in {@link #byPrefix} by their length. */
  readonly #lengths = new Map<number, number>();

  add(watcher: Watcher): void {
    const { paths, prefixes } = watcher.scope;
    for (const path of paths) join(this.#byPath, path, watcher);
    for (const prefix of prefixes) if (join(this.#byPrefix, prefix, watcher)) this.#count(prefix.length, 1);
  }

  delete(watcher: Watcher): void {
    const { paths, prefixes } = watcher.scope;
    for (const path of paths) leave(this.#byPath, path, watcher);
    for (const prefix of prefixes) if (leave(this.#byPrefix, prefix, watcher)) this.#count(prefix.length, -1);
  }

  /** Calls `task` with each watcher of the path. It can be called twice with one. */
  forEach(path: string, task: (watcher: Watcher) => void): void {
    this.#byPath.get(path)?.forEach(task);
    for (const length of this.#lengths.keys()) this.#byPrefix.get(path.slice(0, length))?.forEach(task);
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
