import { CofferError } from "./errors.ts";

/** No open watch of the caller has this watch_id. A watch of another caller gets the same error. */
export function watchNotFound(watchId: string): CofferError {
  const message = `no stream of the caller has the watch_id ${watchId}; report again with that of the next SYNCED`;
  return new CofferError("WATCH_NOT_FOUND", message, { watch_id: watchId });
}

/** The watchers of a secret, when not all of them use its newest version or when there are too few. */
export interface UnmetConvergence {
  /** The number of the newest version. */
  readonly newest: number;
  /** How many watchers the secret has. */
  readonly watchers: number;
  /** The number of watchers that the request requires; 0 if it requires none. */
  readonly minWatchers: number;
  /** How many of the watchers do not use the newest version. */
  readonly behind: number;
  /** Descriptions of some that are behind, if the caller may know them. */
  readonly named: readonly string[];
}

/**
 * The request has require_converged, and some watchers do not use the newest version, or there are fewer than
 * min_watchers.
 */
export function notConverged(path: string, unmet: UnmetConvergence): CofferError {
  const { watchers, minWatchers, behind } = unmet;
  const missing = watchers < minWatchers;
  const problems = [
    ...(missing
      ? [`only ${watchers} of at least ${minWatchers} watchers of ${path} ${isOrAre(watchers)} connected`]
      : []),
    ...(behind > 0 ? [lateWatchers(missing ? "" : ` of ${path}`, unmet)] : []),
  ];
  const metadata = { path, watchers: String(watchers), behind: String(behind) };
  return new CofferError("NOT_CONVERGED", problems.join(", and "), metadata);
}

/** `ofPath` is empty if the message has the path already: trailers are limited, and a path has up to 512 bytes. */
function lateWatchers(ofPath: string, { newest, behind, named }: UnmetConvergence): string {
  const watchers = behind === 1 ? "1 watcher does not use" : `${behind} watchers do not use`;
  const more = behind > named.length ? ` and ${behind - named.length} more` : "";
  const names = named.length === 0 ? "" : `: ${named.join(", ")}${more}`;
  return `${watchers} version ${newest}${ofPath}, the newest${names}`;
}

const isOrAre = (count: number) => (count === 1 ? "is" : "are");
