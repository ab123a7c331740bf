/**
 * The JSON of `/status`: what an operator needs to know first about a server. Times are RFC 3339, durations seconds,
 * sizes bytes. It contains neither names nor values of secrets. A later release may add fields.
 */
export interface ServerStatus {
  readonly release: string;
  /** The commit of the build; "unknown" if the build could not determine it. */
  readonly commit: string;
  readonly node: string;
  readonly sqlite: string;
  readonly runtime: RuntimeStatus;
  readonly process: {
    readonly pid: number;
    /** The threads that answer calls, --threads. */
    readonly call_threads: number;
    /** The threads of the process, including those of Node; null if the kernel does not report them. */
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

/** The properties of the Node process that runs the server. */
export interface RuntimeStatus {
  /**
   * The last day on which the release line of this Node gets security fixes, such as "2028-04-30". Null if this release
   * of Coffer does not list the line.
   */
  readonly fixed_until: string | null;
  readonly openssl: string;
  /** The TLS groups that the server accepts, most preferred first. X25519MLKEM768 needs OpenSSL 3.5. */
  readonly key_exchange: readonly string[];
  /**
   * What prevents a debugger, which Node opens on SIGUSR1. "disabled": Node runs with --disable-sigusr1 (Node 22.14),
   * which applies from the start of the process. "handled": the server installs its own handler when it starts, unless
   * it runs with --allow-debug.
   */
  readonly sigusr1: "disabled" | "handled";
  /** Whether this Node has survived the certificates of the start-up probe. */
  readonly probe: "running" | "passed" | "not-run";
}

/** The server's own identity. */
export interface IdentityStatus {
  /** The source of the identity, such as "the Workload API at unix:///run/spire/agent.sock". */
  readonly source: string;
  /** The current problems of the source. An older SVID can still be in use. */
  readonly problems: readonly string[];
  /** Null if there is no SVID. */
  readonly svid: { readonly spiffe_id: string; readonly valid_until: string } | null;
  readonly bundles: readonly {
    readonly trust_domain: string;
    readonly authorities: number;
    /** When the last CA certificate expires; null if there is none. */
    readonly not_after: string | null;
  }[];
}

/** The policy in force. */
export interface PolicyStatus {
  /** Null if there is no policy file. Then only admins have access. */
  readonly file: string | null;
  readonly rules: number;
  readonly admins: number;
  readonly loaded_at: string;
  /** False if the file has changed since and its new content was refused. */
  readonly is_newest: boolean;
}

/** The size of the store. The counts and the revision are null until it is loaded. */
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
  /** The size of the store's files. */
  readonly used_bytes: number;
  /** The free space for users other than root; null if the file system does not report it. */
  readonly free_bytes: number | null;
}

/** A condition that must hold before the server is ready. */
export type Check =
  | { readonly name: string; readonly state: "ok" }
  | { readonly name: string; readonly state: "not ready"; readonly why: string };
