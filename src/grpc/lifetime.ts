import type { Timers } from "../domain/timers.ts";

// Milliseconds. A connection that never ended would keep a client on one server of several, and an identity alive that
// its owner has long stopped renewing.
const MAX_AGE_MS = 10 * 60_000;

/** How long the calls of a connection that is going away may still take, in milliseconds. */
const DRAIN_GRACE_MS = 30_000;

// The part of its SVID's remaining validity after which a connection goes away: a client that rotates at half of an
// SVID's life, as SPIRE's do, has a newer one by then.
const VALIDITY_SHARE = 0.8;

// Connections that began together, after a restart of the server say, must not all come back together.
const JITTER = 0.1;

/** When a connection is told to go away and when it is closed, in milliseconds since the epoch. */
export interface Lifetime {
  readonly goAwayAt: number;
  readonly closeAt: number;
}

/**
 * The lifetime of a connection that begins now: ten minutes and half a minute of grace, give or take a tenth, but never
 * beyond the validity of its SVID's path. `random` is in [0, 1).
 */
export function lifetimeOf(validUntil: number, now: number, random: number): Lifetime {
  const age = MAX_AGE_MS * (1 - JITTER + 2 * JITTER * random);
  const goAwayAt = now + Math.min(age, Math.max(0, validUntil - now) * VALIDITY_SHARE);
  return { goAwayAt, closeAt: Math.min(goAwayAt + DRAIN_GRACE_MS, validUntil) };
}

/** What ends a connection. */
export interface Ending {
  /** Asks the peer to take new calls elsewhere; those under way go on. */
  readonly goAway: () => void;
  /** Closes at once. */
  readonly close: () => void;
}

/** Ends a connection when its lifetime is over. The answer cancels what is still to come. */
export function endInTime({ goAwayAt, closeAt }: Lifetime, { goAway, close }: Ending, timers: Timers): () => void {
  const now = timers.clock();
  const cancels = [timers.delay(goAwayAt - now, goAway), timers.delay(closeAt - now, close)];
  return () => {
    for (const cancel of cancels) cancel();
  };
}
