/** The release of the program and of Node. */
export interface BuildInfo {
  /** The release of the program, such as 0.1.0. */
  readonly version: string;
  /** The release of Node, such as v22.12.0. */
  readonly node: string;
}

/** The size of the store at one moment. */
export interface StoreReading {
  readonly secrets: number;
  /** Retained versions in any state. */
  readonly versions: number;
  /** Tombstones of purged secrets. */
  readonly tombstones: number;
  /** Remembered request ids, of all callers. */
  readonly requestIds: number;
  /** The size of the store in bytes of memory, and its limit. */
  readonly bytes: number;
  readonly limit: number;
  /** The free space of the disk, and the space that the smallest change needs, in bytes; undefined without a disk. */
  readonly disk: { readonly free: number; readonly reserve: number } | undefined;
}

/** The maximum number of open connections, of handshakes in progress, and of handshakes that begin in a second. */
export interface ConnectionLimits {
  readonly connections: number;
  readonly inProgress: number;
  readonly perSecond: number;
}

/** The policy at one moment. */
export interface LoadedPolicyReading {
  /** Whether the policy in force is that of the last read of the file. False if the last read was refused. */
  readonly isNewest: boolean;
  /** When the policy in force was read, in milliseconds since the epoch. */
  readonly lastLoad: number;
}

/** The server's identity at one moment. Times are milliseconds since the epoch; undefined if there is none. */
export interface IdentityReading {
  /** When the server's SVID expires. */
  readonly validUntil: number | undefined;
  /** When the last CA certificate of each bundle expires, by trust domain name; undefined if the bundle is empty. */
  readonly bundles: ReadonlyMap<string, number | undefined>;
  /** When the identity last changed. */
  readonly lastUpdate: number | undefined;
}
