import type { HandshakeLimits } from "./handshake-gate.ts";

/**
 * The maximum number of connections on the way from the accepting front to the others, if all of these have their maximum
 * of connections. Each connection on the way has a descriptor, and a front that is busy does not close any.
 */
export const MAX_ON_THE_WAY = 64;

/**
 * The limits of each of `fronts` threads that accept connections together. `Placement` spreads connections evenly, so
 * each gets an equal part. Parts are rounded up: all threads together may exceed a limit by less than their number. A
 * thread that has fewer connections than the others gets all new ones, so only its part of the handshake limits applies
 * to them.
 */
export function dividedLimits(limits: HandshakeLimits, fronts: number): HandshakeLimits {
  const part = (limit: number) => Math.ceil(limit / fronts);
  return {
    connections: part(limits.connections),
    inProgress: part(limits.inProgress),
    perSecond: part(limits.perSecond),
  };
}

/**
 * The maximum number of connections that may be placed on each of `fronts` threads, those on the way included. It is more
 * than a front may have open, because a front at its maximum may close a connection in the handshake for a newer one.
 */
export function mostPlaced(limits: HandshakeLimits, fronts: number): number {
  return dividedLimits(limits, fronts).connections + Math.ceil(MAX_ON_THE_WAY / fronts);
}
