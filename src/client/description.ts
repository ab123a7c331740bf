import type { Convergence, DescribeResponse, VersionDescription } from "../contract/messages.ts";

/** A secret without its content: its settings and its versions. */
export interface SecretDescription {
  /** The path of the secret. */
  readonly path: string;
  /** The retained versions, ascending. */
  readonly versions: readonly VersionDescription[];
  /** The number of the newest version, in any state; 0 if there is none yet. */
  readonly latestVersion: number;
  /** How many versions are retained at most, in any state. */
  readonly maxVersions: number;
  /** Its labels by key. */
  readonly labels: Readonly<Record<string, string>>;
  /** A description for humans. */
  readonly description: string;
  /**
   * The time to live of versions that are written without an expiry, in milliseconds; undefined if such versions do not
   * expire.
   */
  readonly defaultTtlMs: number | undefined;
  /** Whether every Put, Patch, Restore and Copy to this secret needs `expectedVersion`. */
  readonly casRequired: boolean;
  /** The revision of the store at which this answer was made. */
  readonly storeRevision: number;
  /** Which versions the watchers of the secret have reported; undefined if the server does not count them. */
  readonly convergence: Convergence | undefined;
}

/** The answer to a Describe. */
export function readDescription({ labels, defaultTtl, ...rest }: DescribeResponse): SecretDescription {
  return { ...rest, labels: Object.fromEntries(labels), defaultTtlMs: defaultTtl };
}
