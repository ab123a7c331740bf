import { dividedLimits, mostPlaced } from "../admission/divided-limits.ts";
import { mostServed } from "../admission/handshake-gate.ts";
import type { ListenAddress } from "../admission/listener.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { BudgetMemory } from "../grpc/budget-memory.ts";

/** The part of the configuration that concerns one front, as plain data, which can be passed to another thread. */
export interface FrontConfig extends Pick<ServeConfig, "budgets" | "handshakes" | "logLevel" | "maxContentBytes"> {
  /** The number of this front, from 0. */
  readonly number: number;
  /** The number of fronts. */
  readonly fronts: number;
  /** The maximum number of connections of a front, including those on the way to it. */
  readonly mostPlaced: number;
  /** Where it listens. Only the first front does. */
  readonly listen: readonly ListenAddress[];
}

/** The configuration of one front of several. Each has an equal part of the limits on connections and handshakes. */
export function frontConfig(config: ServeConfig, number: number, fronts: number): FrontConfig {
  const { budgets, logLevel, maxContentBytes, listen } = config;
  return {
    number,
    fronts,
    budgets,
    logLevel,
    maxContentBytes,
    handshakes: dividedLimits(config.handshakes, fronts),
    mostPlaced: mostPlaced(config.handshakes, fronts),
    listen: number === 0 ? listen : [],
  };
}

/**
 * Memory for what the callers of fronts with this configuration hold. Each connection and each call can be of another SPIFFE
 * ID: while the disk stalls, the changes of a caller hold its budget after its connections are closed.
 */
export function budgetMemory({
  fronts,
  handshakes,
  budgets,
}: Pick<FrontConfig, "fronts" | "handshakes" | "budgets">): BudgetMemory {
  return BudgetMemory.of(fronts * mostServed(handshakes) + budgets.calls, fronts);
}
