import { notConverged } from "../domain/watch-errors.ts";
import type { ConvergenceDemand } from "./command.ts";
import type { Fork } from "./draft.ts";
import { type StoredSecret, UNCOMMITTED, newest } from "./secret.ts";
import type { WatcherBehind, WatcherVersions } from "./watch-registry.ts";

/** The maximum number of watchers that the message of NOT_CONVERGED names. */
const MAX_NAMED_IN_ERROR = 10;

/**
 * The maximum length of their names together, in characters. The trailers of the call have the message twice, and many
 * clients accept no more than 8 KiB of trailers: ten long names would cost the caller the whole status.
 */
const MAX_NAMES_LENGTH = 1000;

// The cost of comparing the report of a watcher, in bytes: it takes as long as sealing so many bytes. Without it, thousands of
// Deletes of a secret with thousands of watchers would be one group, also if each of them is refused.
const WATCHER_WORK = 128;

/** Requires that all watchers of a secret use its newest version, and that there are enough. Throws NOT_CONVERGED. */
export function requireConverged(
  fork: Pick<Fork, "spend">,
  secret: StoredSecret,
  watchers: WatcherVersions,
  { minWatchers, refusal }: ConvergenceDemand,
): void {
  const version = newest(secret);
  if (version === undefined) return;
  const { number, revision } = version;
  // No report is about a version that is not committed yet.
  const since = revision === UNCOMMITTED ? Number.POSITIVE_INFINITY : revision;
  const { watchers: all, converged, behind } = watchers.count(secret.path, { number, revision: since });
  fork.spend(WATCHER_WORK * all);
  if (converged === all && all >= minWatchers) return;
  const named = refusal === "named" ? fitting(behind.slice(0, MAX_NAMED_IN_ERROR).map(describe)) : [];
  throw notConverged(secret.path, { newest: number, watchers: all, minWatchers, behind: all - converged, named });
}

/** The first names, as many as fit in the message. */
function fitting(names: readonly string[]): readonly string[] {
  let length = 0;
  return names.filter((name) => {
    length += name.length;
    return length <= MAX_NAMES_LENGTH;
  });
}

function describe({ caller, instance, version, state }: WatcherBehind): string {
  const name = instance === "" ? caller : `${caller} (${instance})`;
  if (state === undefined) return `${name} has reported no version`;
  return state === "in use" ? `${name} uses ${version}` : `${name} has received ${version}`;
}
