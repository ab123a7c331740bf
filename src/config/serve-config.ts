import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { BudgetLimits } from "../grpc/budget.ts";
import type { HandshakeLimits } from "../admission/handshake-gate.ts";
import type { IdentityChoice } from "./identity-choice.ts";
import type { ListenAddress } from "../admission/listener.ts";

/** Where secrets are kept. */
export type StoreConfig =
  | {
      readonly kind: "sqlite";
      /** The data folder. */
      readonly data: string;
      /** The file with the root key. */
      readonly rootKey: string;
    }
  /** Nothing outlives the process. */
  | { readonly kind: "memory" };

/** Everything that `coffer serve` can be told, checked and complete. */
export interface ServeConfig {
  readonly listen: readonly ListenAddress[];
  readonly store: StoreConfig;
  /** Milliseconds that the start may wait for another server to let go of the data folder. */
  readonly lockWaitMs: number;
  /** Where the server's own SVID and the bundles of those who may call come from. */
  readonly identity: IdentityChoice;
  /** Milliseconds that the start may wait for that identity; undefined: as long as it takes. */
  readonly startupTimeoutMs: number | undefined;
  /** Milliseconds that calls are still taken for once the stop has begun and probes say so. */
  readonly shutdownDelayMs: number;
  /** The policy file; undefined: no rules, so only admins may do anything. */
  readonly policy: string | undefined;
  readonly admins: readonly SpiffeId[];
  /** Where probes and metrics are served, as plain HTTP; undefined: nowhere. */
  readonly opsListen: { readonly host: string; readonly port: number } | undefined;
  /** Names by which they may be asked for, beside addresses and private names. */
  readonly opsHosts: readonly string[];
  /** Bytes that the store may take in memory. */
  readonly maxStoreBytes: number;
  /** Bytes of keys and values of one version. */
  readonly maxContentBytes: number;
  /** What strangers may take. */
  readonly handshakes: HandshakeLimits;
  /** What all callers together may hold. */
  readonly budgets: BudgetLimits;
  /** Whether Node may be told to open its doors to the memory of this process, such as a debugger. */
  readonly allowDebug: boolean;
  readonly logLevel: "error" | "warn" | "info" | "debug";
}
