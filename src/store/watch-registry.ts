import type { PathPrefix, SecretPath } from "../domain/secret-path.ts";
import type { Revision } from "./revision.ts";

/** A watch, as the registry knows it. */
export interface OpenedWatch {
  readonly watchId: string;
  /** The SPIFFE ID of the caller. */
  readonly caller: string;
  readonly paths: readonly SecretPath[];
  readonly prefixes: readonly PathPrefix[];
}

/** What a workload does with a version. */
export type VersionUse = "received" | "in use";

/** The version of a secret that a watching workload has. */
export interface VersionReport {
  readonly watchId: string;
  /** The SPIFFE ID of the caller of Report. It has to be that of the watch. */
  readonly caller: string;
  readonly path: SecretPath;
  readonly version: number;
  readonly state: VersionUse;
  /** The name of this instance of the workload; may be empty. */
  readonly instance: string;
}

/** A watcher that does not use the newest version of a secret. */
export interface WatcherBehind {
  /** Its SPIFFE ID. */
  readonly caller: string;
  /** The instance of its last report; empty if it has made none. */
  readonly instance: string;
  /** The version that it uses; 0 if it has not reported any. */
  readonly version: number;
  /** Undefined if it has not reported any version. */
  readonly state: VersionUse | undefined;
}

/** The watchers of a secret, and which of them do not use its newest version. */
export interface WatcherCount {
  readonly watchers: number;
  readonly converged: number;
  /** At most {@link MAX_NAMED_WATCHERS}: those without a report first, then in the order of their versions. */
  readonly behind: readonly WatcherBehind[];
}

/** The maximum number of watchers in {@link WatcherCount.behind}. */
export const MAX_NAMED_WATCHERS = 100;

/** The version with which the versions of watchers are compared. Its number is 0 if the secret has no version. */
export interface NewestVersion {
  readonly number: number;
  /**
   * The revision that created it. An older report names a version of a secret that was purged and whose numbers are used
   * again.
   */
  readonly revision: Revision;
}

/** Which versions the watchers of a secret use. */
export interface WatcherVersions {
  /** Counts the watchers of a secret that may watch it now. */
  count(path: SecretPath, newest: NewestVersion): WatcherCount;
}

/**
 * The watches of all fronts, and what their callers have reported, as a front uses it: in its own thread, or in another.
 */
export interface WatchRegistry {
  /** A watch was opened. Calls `registered` when each later {@link count}, on any front, includes it. */
  opened(watch: OpenedWatch, registered: () => void): void;
  /** A watch has ended. Its reports are forgotten. */
  closed(watchId: string): void;
  /** Records a report. Throws WATCH_NOT_FOUND, INVALID_FIELD or LIMIT_EXCEEDED. */
  report(report: VersionReport): void | Promise<void>;
  /** See {@link WatcherVersions.count}. */
  count(path: SecretPath, newest: NewestVersion): WatcherCount | Promise<WatcherCount>;
}

/** The registry in the thread of the store. */
export interface OwnWatchRegistry extends WatchRegistry, WatcherVersions {
  report(report: VersionReport): void;
  count(path: SecretPath, newest: NewestVersion): WatcherCount;
}

/** The registry of a server without watches. */
export const NO_WATCHERS: WatcherVersions = { count: () => ({ watchers: 0, converged: 0, behind: [] }) };
