import { MAX_REPORTED_PATHS, MAX_REPORTED_PATHS_OF_ALL, MIN_REPORTED_PATHS_OF_CALLER } from "../contract/limits.ts";
import type { Authorizer } from "../authorization/authorizer.ts";
import type { PathScope } from "../authorization/path-scope.ts";
import { invalidField, limitExceeded } from "../domain/errors.ts";
import { fairShare, fitsFairly } from "../domain/fair-share.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import { watchNotFound } from "../domain/watch-errors.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { ReadableMemory } from "../store/memory.ts";
import { latestVersion } from "../store/secret.ts";
import {
  MAX_NAMED_WATCHERS,
  type NewestVersion,
  type OpenedWatch,
  type OwnWatchRegistry,
  type VersionReport,
  type WatcherBehind,
  type WatcherCount,
} from "../store/watch-registry.ts";
import { LowestVersions } from "./lowest-versions.ts";
import { type ReportedVersion, ReportedVersions } from "./reported-versions.ts";
import { WatchScope } from "./watch-scope.ts";
import { WatcherIndex } from "./watcher-index.ts";

/** A watch of any front, and what its caller has reported. */
interface ReportingWatch {
  readonly caller: string;
  readonly scope: WatchScope;
  readonly versions: ReportedVersions;
  /** The paths that its caller may watch by a policy. */
  allowed: { readonly epoch: number; readonly paths: PathScope } | undefined;
}

/** What {@link VersionsInUse} needs. */
export interface VersionsInUseOptions {
  /** The memory of the store thread. */
  readonly memory: Pick<ReadableMemory, "get" | "revision">;
  /** The current authorizer. */
  readonly authorizer: () => Authorizer;
}

/** The unit of the limits, in messages. */
const REPORTED = "paths with a report";

/**
 * Which versions of secrets the watchers of all fronts use, by their reports. It belongs to the thread of the store, so
 * that a change can require that all watchers use the newest version, and no report or watch comes between this check and
 * the change. It is in memory only: a watcher that reconnects reports again.
 */
export class VersionsInUse implements OwnWatchRegistry {
  readonly #options: VersionsInUseOptions;
  readonly #watches = new Map<string, ReportingWatch>();
  readonly #index = new WatcherIndex<ReportingWatch>();
  /** The number of reported paths in all watches of a SPIFFE ID. */
  readonly #reported = new Map<string, number>();
  /** The number of reported paths in all watches. */
  #reportedByAll = 0;

  constructor(options: VersionsInUseOptions) {
    this.#options = options;
  }

  /** The number of open watches. */
  get size(): number {
    return this.#watches.size;
  }

  opened({ watchId, caller, paths, prefixes }: OpenedWatch, registered: () => void): void {
    const watch = {
      caller,
      scope: new WatchScope(paths, prefixes),
      versions: new ReportedVersions(),
      allowed: undefined,
    };
    this.#watches.set(watchId, watch);
    this.#index.add(watch);
    registered();
  }

  closed(watchId: string): void {
    const watch = this.#watches.get(watchId);
    if (watch === undefined) return;
    this.#watches.delete(watchId);
    this.#index.delete(watch);
    this.#countReported(watch.caller, -watch.versions.size);
  }

  report(report: VersionReport): void {
    const { watchId, caller, path, version } = report;
    const watch = this.#watches.get(watchId);
    // The same error for a watch of another SPIFFE ID: a caller must not find out which watches exist.
    if (watch === undefined || watch.caller !== caller) throw watchNotFound(watchId);
    if (!watch.scope.covers(path)) throw invalidField("path", "is not a path of this watch");
    const { memory } = this.#options;
    const stored = memory.get(path);
    const latest = latestVersion(stored);
    if (stored === undefined || version > latest)
      throw invalidField("version", `is greater than ${latest}, the newest`);
    if (!watch.versions.has(path)) this.#reserve(watch.versions.size, caller);
    // The path of the store, so that the text of the request is not retained.
    watch.versions.set(stored.path, report, memory.revision);
  }

  count(path: SecretPath, newest: NewestVersion): WatcherCount {
    const behind = new LowestVersions<ReportingWatch>(MAX_NAMED_WATCHERS);
    const watchers = this.#watchersOf(path);
    for (const watch of watchers) {
      const reported = watch.versions.get(path);
      if (!isConverged(reported, newest)) behind.add(reported?.version ?? 0, watch);
    }
    const named = behind.sorted().map((watch) => describe(watch, path));
    return { watchers: watchers.length, converged: watchers.length - behind.count, behind: named };
  }

  /** The watches that name a path, and whose caller may watch it now. Callers with the same rules share one decision. */
  #watchersOf(path: SecretPath): readonly ReportingWatch[] {
    const watches: ReportingWatch[] = [];
    this.#index.forEach(path, (watch) => watches.push(watch));
    if (watches.length === 0) return [];
    const authorizer = this.#options.authorizer();
    const decisions = new Map<PathScope, boolean>();
    return watches.filter((watch) => {
      const paths = allowedPaths(watch, authorizer);
      const known = decisions.get(paths);
      if (known !== undefined) return known;
      const isAllowed = paths.covers(path);
      decisions.set(paths, isAllowed);
      return isAllowed;
    });
  }

  #reserve(ofWatch: number, caller: string): void {
    if (ofWatch >= MAX_REPORTED_PATHS)
      throw limitExceeded("path", MAX_REPORTED_PATHS, REPORTED, ofWatch + 1, "this watch");
    const held = this.#reported.get(caller) ?? 0;
    const holding = { free: MAX_REPORTED_PATHS_OF_ALL - this.#reportedByAll, held };
    if (!fitsFairly(1, holding, MIN_REPORTED_PATHS_OF_CALLER)) {
      const limit = fairShare(holding, MIN_REPORTED_PATHS_OF_CALLER);
      throw limitExceeded("path", limit, REPORTED, held + 1, "this SPIFFE ID");
    }
    this.#countReported(caller, 1);
  }

  #countReported(caller: string, change: number): void {
    this.#reportedByAll += change;
    const count = (this.#reported.get(caller) ?? 0) + change;
    if (count === 0) this.#reported.delete(caller);
    else this.#reported.set(caller, count);
  }
}

function isConverged(reported: ReportedVersion | undefined, { number, revision }: NewestVersion): boolean {
  if (number === 0) return true;
  return reported !== undefined && reported.version >= number && reported.since >= revision;
}

/** Remembers the paths: finding the rules of ten thousand callers takes a tenth of a second. */
function allowedPaths(watch: ReportingWatch, authorizer: Authorizer): PathScope {
  const { epoch } = authorizer;
  if (watch.allowed?.epoch !== epoch)
    watch.allowed = { epoch, paths: authorizer.scope(SpiffeId.parse(watch.caller), "watch") };
  return watch.allowed.paths;
}

function describe({ caller, versions }: ReportingWatch, path: SecretPath): WatcherBehind {
  const { version = 0, state } = versions.get(path) ?? {};
  return { caller, instance: versions.instance, version, state };
}
