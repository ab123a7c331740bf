import { MAX_VERSIONS } from "../contract/limits.ts";
import type { Label } from "./command.ts";
import type { Revision } from "./revision.ts";

/** The settings of a secret that callers change. */
export interface SettingsValues {
  /** The maximum number of retained versions, in any state. */
  readonly maxVersions: number;
  /** Ascending by key. */
  readonly labels: readonly Label[];
  readonly description: string;
  /**
   * The time to live of versions that are written without an expiry, in milliseconds; undefined if such versions do not
   * expire.
   */
  readonly defaultTtl: number | undefined;
  readonly casRequired: boolean;
  /**
   * The lowest version number that may be retained: 1, or the lowest one at the last change of maxVersions, or the first
   * one after a purge. With it, a restart can find out whether a version is missing:
   * the lowest retained version is max(firstVersion, newest - maxVersions + 1).
   */
  readonly firstVersion: number;
}

/** The settings of a secret, and the change that made them. */
export interface Settings extends SettingsValues {
  /** 0 if the settings were never changed. */
  readonly revision: Revision;
  /** Milliseconds since the epoch; 0 if the settings were never changed. */
  readonly time: number;
}

/** The settings of a secret that were never changed. */
export const DEFAULT_SETTINGS: Settings = {
  maxVersions: MAX_VERSIONS,
  labels: [],
  description: "",
  defaultTtl: undefined,
  casRequired: false,
  firstVersion: 1,
  revision: 0,
  time: 0,
};
