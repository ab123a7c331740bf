/** What the build says of itself. */
export interface BuildInfo {
  /** The release of the program, as in 0.1.0. */
  readonly version: string;
  /** The release of Node, as in v22.12.0. */
  readonly node: string;
}

/** The store at one moment. */
export interface StoreReading {
  readonly secrets: number;
  /** Retained versions in any state. */
  readonly versions: number;
  /** Bytes of memory that count against the limit, and that limit. */
  readonly bytes: number;
  readonly limit: number;
  /** Bytes that are free on the disk, and bytes that must be for a change to be taken; undefined: there is no disk. */
  readonly room: { readonly free: number; readonly reserve: number } | undefined;
}

/** Connections at one moment, and what limits them. */
export interface ConnectionReading {
  /** Connections that are open, in handshake or served. */
  readonly open: number;
  /** Connections whose handshake is not over. */
  readonly inProgress: number;
  /** Handshakes that have begun since the start. */
  readonly begun: number;
  /** The most that may be open, and in handshake, and begin in a second. */
  readonly limits: { readonly connections: number; readonly inProgress: number; readonly perSecond: number };
}

/** The policy at one moment. */
export interface LoadedPolicyReading {
  /** Whether the policy in force is what the file held when it was last read; false: what it held was refused. */
  readonly isNewest: boolean;
  /** When the policy in force was read, in milliseconds since the epoch. */
  readonly lastLoad: number;
}

/** Our identity at one moment. Times are milliseconds since the epoch; undefined: there is none. */
export interface IdentityReading {
  /** Until when our SVID is accepted. */
  readonly validUntil: number | undefined;
  /** When the last authority of each bundle expires, by the bare name of its trust domain; undefined: it has none. */
  readonly bundles: ReadonlyMap<string, number | undefined>;
  /** When the source last had something new. */
  readonly lastUpdate: number | undefined;
}
