import type { ServerKit } from "./server-kit.ts";
import { until } from "./until.ts";

/**
 * Returns a function that resolves when a caller that has connected since then has not found a secret. A call of an earlier
 * caller does not count: it can be logged after that caller has ended.
 */
export function nextMiss(kit: ServerKit): () => Promise<unknown> {
  const misses = () => kit.log.filter(({ reason }) => reason === "SECRET_NOT_FOUND");
  const earlier = new Set(misses().map(({ connection }) => connection));
  return () =>
    until("a new caller has not found a secret", () => misses().some(({ connection }) => !earlier.has(connection)));
}
