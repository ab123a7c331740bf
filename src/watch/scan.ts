import type { WatchableMemory } from "../store/memory.ts";
import { after } from "../store/position.ts";
import type { Revision } from "../store/revision.ts";
import { ChangeScan } from "./change-scan.ts";
import { PathScan } from "./path-scan.ts";
import type { Sight } from "./sight.ts";
import type { WatchScope } from "./watch-scope.ts";

/** Finds what is stored, in the order of paths or of changes. */
export type Scan = PathScan | ChangeScan;

/** What a scan has to find. */
export interface ScanRange {
  readonly memory: WatchableMemory;
  readonly scope: WatchScope;
  readonly sight: Sight;
  /** The revision after which it begins; 0 for everything that exists. */
  readonly base: Revision;
  /** The last revision. */
  readonly until: Revision;
}

/**
 * Finds what a watcher may see and has changed after a revision. Scans the paths that the watch names, or what has changed,
 * whichever is less. A watcher of a million secrets reconnects every ten minutes, and few of them have changed. A watcher of
 * one secret may have missed a million changes.
 */
export function scanOf({ memory, scope, sight, base, until }: ScanRange): Scan {
  const from = after(base);
  if (base > 0 && memory.countAfter(from) <= scope.size(memory)) {
    return new ChangeScan({ memory, from, until, isWanted: (path) => scope.covers(path) && sight.allows(path) });
  }
  const atOrAfter = (text: string) => {
    const at = scope.atOrAfter(text);
    return at === undefined ? undefined : sight.atOrAfter(at);
  };
  return new PathScan({ memory, atOrAfter, withTombstones: base > 0 });
}
