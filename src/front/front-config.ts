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
  /** Where it listens. Only the first front does. */
  readonly listen: readonly ListenAddress[];
}

/**
 * The configuration of one front of several. Connections are spread evenly over the fronts, so each gets an equal part of
 * the limits on connections and handshakes, rounded up.
 */
export function frontConfig(config: ServeConfig, number: number, fronts: number): FrontConfig {
  const { budgets, logLevel, maxContentBytes, listen } = config;
  const { connections, inProgress, perSecond } = config.handshakes;
  const part = (limit: number) => Math.ceil(limit / fronts);
  const handshakes = {
    connections: part(connections),
    inProgress: part(inProgress),
    perSecond: part(perSecond),
  };
  return { number, fronts, budgets, logLevel, maxContentBytes, handshakes, listen: number === 0 ? listen : [] };
}

/** Memory for what the callers of fronts with this configuration hold. */
export function budgetMemory({ fronts, handshakes }: FrontConfig): BudgetMemory {
  return BudgetMemory.of(fronts * mostServed(handshakes), fronts);
}
