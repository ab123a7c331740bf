/**
 * What an operator asks first of a server, as `/status` tells it in JSON. Times are RFC 3339, durations seconds, sizes
 * bytes. No name of a secret and no value is in it. A later release may add fields.
 */
export interface ServerStatus {
  readonly release: string;
  /** The commit that was built; "unknown" when the build did not know. */
  readonly commit: string;
  readonly node: string;
  readonly sqlite: string;
  readonly runtime: RuntimeStatus;
  readonly process: {
    readonly pid: number;
    /** Threads of the process, those of Node and SQLite included; null where the kernel does not tell. */
    readonly threads: number | null;
    readonly memory_bytes: number;
    readonly started_at: string;
    readonly uptime_seconds: number;
  };
  readonly ready: boolean;
  /** The checks of `/readyz`. */
  readonly checks: readonly Check[];
  readonly identity: IdentityStatus;
  readonly policy: PolicyStatus | null;
  readonly store: StoreStatus;
  readonly disk: DiskStatus | null;
}

/** What this release of Node brings. */
export interface RuntimeStatus {
  /** The day on which its line gets the last security fixes, as in "2028-04-30"; null where this release does not know. */
  readonly fixed_until: string | null;
  readonly openssl: string;
  /** The groups that the server takes in a handshake, most preferred first. X25519MLKEM768 needs OpenSSL 3.5. */
  readonly key_exchange: readonly string[];
  /** "disabled": by --disable-sigusr1 (Node 22.14), from the first instant on; "handled": by the server, once it runs. */
  readonly sigusr1: "disabled" | "handled";
  /** Whether this Node has survived the certificates of the start-up probe. */
  readonly probe: "running" | "passed" | "not-run";
}

/** The server's own identity. */
export interface IdentityStatus {
  /** Where it comes from, as in "the Workload API at unix:///run/spire/agent.sock". */
  readonly source: string;
  /** What is wrong with the source at the moment; an older SVID may be in force. */
  readonly problems: readonly string[];
  /** Null while there is none. */
  readonly svid: { readonly spiffe_id: string; readonly valid_until: string } | null;
  readonly bundles: readonly {
    readonly trust_domain: string;
    readonly authorities: number;
    /** When the last of them expires; null: there is none. */
    readonly not_after: string | null;
  }[];
}

/** The policy in force. */
export interface PolicyStatus {
  /** Null: there is no file, and only admins may do anything. */
  readonly file: string | null;
  readonly rules: number;
  readonly admins: number;
  readonly loaded_at: string;
  /** False: the file has changed since and was refused. */
  readonly is_newest: boolean;
}

/** What the store holds. The counts and the revision are null until it is loaded. */
export interface StoreStatus {
  readonly kind: "sqlite" | "memory";
  readonly revision: number | null;
  readonly secrets: number | null;
  readonly versions: number | null;
  readonly memory_bytes: number | null;
  readonly memory_limit_bytes: number;
}

/** The disk below `--data`. */
export interface DiskStatus {
  readonly folder: string;
  /** What the files of the store take. */
  readonly used_bytes: number;
  /** What the file system has left for this user; null where it does not tell. */
  readonly free_bytes: number | null;
}

/** One thing that must be in order before callers are sent here. */
export type Check =
  | { readonly name: string; readonly state: "ok" }
  | { readonly name: string; readonly state: "not ready"; readonly why: string };
