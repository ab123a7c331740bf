import { CofferError } from "./errors.ts";

/** No open watch of the caller has this watch_id. A watch of another caller gets the same error. */
export function watchNotFound(watchId: string): CofferError {
  const message = `no stream of the caller has the watch_id ${watchId}; report again with that of the next SYNCED`;
  return new CofferError("WATCH_NOT_FOUND", message, { watch_id: watchId });
}

/**
 * The request has require_converged, and `behind` watchers do not use the version `newest`. `named` describes some of
 * them, if the caller may know them.
 */
export function notConverged(path: string, newest: number, behind: number, named: readonly string[]): CofferError {
  const watchers = behind === 1 ? "1 watcher does not use" : `${behind} watchers do not use`;
  const more = behind > named.length ? ` and ${behind - named.length} more` : "";
  const names = named.length === 0 ? "" : `: ${named.join(", ")}${more}`;
  const message = `${watchers} version ${newest} of ${path}, the newest${names}`;
  return new CofferError("NOT_CONVERGED", message, { path, behind: String(behind) });
}
