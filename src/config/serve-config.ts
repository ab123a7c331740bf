import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { BudgetLimits } from "../grpc/budget.ts";
import type { HandshakeLimits } from "../admission/handshake-gate.ts";
import type { IdentityChoice } from "./identity-choice.ts";
import type { ListenAddress } from "../admission/listener.ts";

/** The storage of secrets. */
export type StoreConfig =
  | {
      readonly kind: "sqlite";
      /** The data folder. */
      readonly data: string;
      /** The file with the root key. */
      readonly rootKey: string;
    }
  /** Secrets are lost when the process ends. */
  | { readonly kind: "memory" };

/** The complete, checked configuration of `coffer serve`. */
export interface ServeConfig {
  readonly listen: readonly ListenAddress[];
  readonly store: StoreConfig;
  /** How long the start waits for another server to release the data folder, in milliseconds. */
  readonly lockWaitMs: number;
  /** The source of the server's SVID, and of the bundles that verify callers. */
  readonly identity: IdentityChoice;
  /** How long the start waits for that identity, in milliseconds; undefined: without a limit. */
  readonly startupTimeoutMs: number | undefined;
  /**
   * How long calls are still served after the shutdown has begun, in milliseconds. During this time, /readyz and the
   * health service already report the shutdown.
   */
  readonly shutdownDelayMs: number;
  /** The policy file; undefined: no rules, so only admins are allowed anything. */
  readonly policy: string | undefined;
  readonly admins: readonly SpiffeId[];
  /** The address of probes and metrics, over plain HTTP; undefined: not served. */
  readonly opsListen: { readonly host: string; readonly port: number } | undefined;
  /** Host names that requests to the ops listener may use, in addition to IP addresses and private names. */
  readonly opsHosts: readonly string[];
  /** The limit on the memory of the store, in bytes. */
  readonly maxStoreBytes: number;
  /** How long the tombstone of a purged secret is kept, in milliseconds. */
  readonly tombstoneRetentionMs: number;
  /** The maximum number of remembered request ids of a caller. */
  readonly maxRequestIds: number;
  /** The limit on the content of one version, in bytes of keys and values. */
  readonly maxContentBytes: number;
  /** The limits for unauthenticated clients. */
  readonly handshakes: HandshakeLimits;
  /** The limits for all callers together. */
  readonly budgets: BudgetLimits;
  /**
   * The number of threads that answer calls. With 1, the main thread answers them; otherwise the main thread only commits.
   */
  readonly threads: number;
  /** Whether options of Node may expose the memory of this process, for example to a debugger. */
  readonly allowDebug: boolean;
  readonly logLevel: "error" | "warn" | "info" | "debug";
}
