import type { Timers } from "../domain/timers.ts";

// The duration of a rest, as a fraction of the duration of the work before it. Unverified peers thus use at most two
// thirds of a thread. With a limit of half a thread, sixty costly handshakes a second locked out all other peers at the
// same address.
const REST_FOR_WORK = 0.5;

// Milliseconds. No timer is shorter, so a shorter rest is deferred and added to the next.
const SHORTEST_REST = 1;

/**
 * Limits the work that unverified peers can cause to two thirds of the time of this thread. It does one piece of work
 * at a time, in the order of the requests, and rests after each for half of the time that it took. It measures the time
 * of the work and does not count handshakes: a client chooses its key, its certificates and their number, and one
 * handshake can cost as much as a hundred others.
 */
export class Pace {
  readonly #timers: Pick<Timers, "busy" | "delay">;
  readonly #requests: (() => void)[] = [];
  /** A value of {@link Timers.busy}: the work before it is charged already, or was not caused by an unverified peer. */
  #chargedUntil = 0;
  /** Milliseconds of work for which no rest has been taken yet. */
  #owed = 0;
  #state: "idle" | "working" | "resting" = "idle";

  constructor(timers: Pick<Timers, "busy" | "delay">) {
    this.#timers = timers;
  }

  /** Does a piece of work: now, or after the earlier pieces and their rests. */
  next(work: () => void): void {
    this.#requests.push(work);
    this.#advance();
  }

  /** Milliseconds of work since the last charge, or since the turn of the event loop began. */
  get uncharged(): number {
    return this.#timers.busy() - this.#chargedUntil;
  }

  /**
   * Charges the work since the last charge, or since the turn of the event loop began. It accounts for what OpenSSL
   * does when bytes arrive, which does not pass through {@link next}. It also charges calls that were answered earlier
   * in the same turn: their time cannot be distinguished, and too long a rest is the safe error.
   */
  charge(): void {
    const now = this.#timers.busy();
    this.#owed += now - this.#chargedUntil;
    this.#chargedUntil = now;
    if (this.#state === "idle") this.#rest();
  }

  /**
   * Excludes the work up to now from later charges: a turn of the event loop is over, or no handshake was in progress.
   */
  skip(): void {
    this.#chargedUntil = this.#timers.busy();
  }

  #advance(): void {
    while (this.#state === "idle") {
      const work = this.#requests.shift();
      if (work === undefined) return;
      this.#do(work);
    }
  }

  #do(work: () => void): void {
    const began = this.#timers.busy();
    this.#state = "working";
    try {
      work();
    } finally {
      const took = this.#timers.busy() - began;
      this.#owed += took;
      // A charge later in this turn must not include it again.
      this.#chargedUntil += took;
      this.#rest();
    }
  }

  #rest(): void {
    this.#state = this.#owed * REST_FOR_WORK < SHORTEST_REST ? "idle" : "resting";
    if (this.#state === "idle") return;
    const ms = this.#owed * REST_FOR_WORK;
    this.#owed = 0;
    this.#timers.delay(ms, () => {
      this.#rest();
      this.#advance();
    });
  }
}
