import type { HandshakeLimits } from "./handshake-gate.ts";

/**
 * The limits of each of `fronts` threads that accept connections together. `Placement` spreads connections evenly, so
 * each gets an equal part. Parts are rounded up: all threads together may exceed a limit by less than their number.
 */
export function dividedLimits(limits: HandshakeLimits, fronts: number): HandshakeLimits {
  const part = (limit: number) => Math.ceil(limit / fronts);
  return {
    connections: part(limits.connections),
    inProgress: part(limits.inProgress),
    perSecond: part(limits.perSecond),
  };
}
