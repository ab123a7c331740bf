import type { Timers } from "../domain/timers.ts";

// Milliseconds. Without a maximum age, a client would stay on one of several servers forever, and would keep an
// identity in use that its owner no longer renews.
const MAX_AGE_MS = 10 * 60_000;

// How long the calls of a connection may continue after its GOAWAY, in milliseconds.
const DRAIN_GRACE_MS = 30_000;

// The fraction of its SVID's remaining validity after which a connection gets a GOAWAY. A client that rotates at half
// of its SVID's lifetime, as SPIRE's clients do, has a newer SVID by then.
const VALIDITY_SHARE = 0.8;

// The fraction by which the maximum age varies. Connections that began together, for example after a restart of the
// server, must not all reconnect together.
const JITTER = 0.1;

/** When a connection gets its GOAWAY and when it is closed, in milliseconds since the epoch. */
export interface Lifetime {
  readonly goAwayAt: number;
  readonly closeAt: number;
}

/**
 * The lifetime of a connection that begins now: ten minutes, plus or minus a tenth, and then 30 seconds to finish its
 * calls. It ends at `validUntil` at the latest, when a certificate on the path from the peer's SVID to its CA expires.
 * `random` is in [0, 1).
 */
export function lifetimeOf(validUntil: number, now: number, random: number): Lifetime {
  const age = MAX_AGE_MS * (1 - JITTER + 2 * JITTER * random);
  const goAwayAt = now + Math.min(age, Math.max(0, validUntil - now) * VALIDITY_SHARE);
  return { goAwayAt, closeAt: Math.min(goAwayAt + DRAIN_GRACE_MS, validUntil) };
}

/** How a connection ends. */
export interface Ending {
  /** Asks the peer to make new calls on another connection. Calls in flight continue. */
  readonly goAway: () => void;
  /** Closes the connection immediately. */
  readonly close: () => void;
}

/** Ends a connection when its lifetime is over. The returned function cancels the timers. */
export function endInTime({ goAwayAt, closeAt }: Lifetime, { goAway, close }: Ending, timers: Timers): () => void {
  const now = timers.clock();
  const cancels = [timers.delay(goAwayAt - now, goAway), timers.delay(closeAt - now, close)];
  return () => {
    for (const cancel of cancels) cancel();
  };
}
