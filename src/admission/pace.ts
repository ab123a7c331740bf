import type { Timers } from "../domain/timers.ts";

// A rest for this part of the work before it: peers that are not verified take at most two thirds of the thread. With half
// of it, sixty costly handshakes a second kept all others from the same address out.
const REST_FOR_WORK = 0.5;

// Milliseconds. No timer is shorter: a lesser debt waits until there is more to rest for.
const SHORTEST_REST = 1;

/**
 * Gives the work that peers can cause before they are verified at most two thirds of the thread: one piece at a time, in the
 * order of the requests, and after each a rest of half as long as it took. What took long is measured by the work itself, not by a count of
 * handshakes: a client chooses its key, its certificates and their number, and one handshake can cost a hundred others.
 */
export class Pace {
  readonly #timers: Pick<Timers, "busy" | "delay">;
  readonly #requests: (() => void)[] = [];
  /** Of {@link Timers.busy}: the work up to here is charged, or was not caused by a peer. */
  #chargedUntil = 0;
  /** Milliseconds of work that no rest has followed yet. */
  #owed = 0;
  #state: "idle" | "working" | "resting" = "idle";

  constructor(timers: Pick<Timers, "busy" | "delay">) {
    this.#timers = timers;
  }

  /** Does a piece of work: now, or when the rest after those before it is over. */
  next(work: () => void): void {
    this.#requests.push(work);
    this.#advance();
  }

  /** Milliseconds of work since the last charge, or since the turn of the event loop began. */
  get uncharged(): number {
    return this.#timers.busy() - this.#chargedUntil;
  }

  /**
   * Adds to the rest what the thread has done since the last charge, or since the turn of the event loop began. It is for
   * what OpenSSL does when bytes arrive, which is not a piece of work here. Calls that were answered before it in the same turn are
   * charged too: their time can't be told apart, and too long a rest is the safe error.
   */
  charge(): void {
    const now = this.#timers.busy();
    this.#owed += now - this.#chargedUntil;
    this.#chargedUntil = now;
    if (this.#state === "idle") this.#rest();
  }

  /** Leaves out what was done up to here: a turn of the event loop is over, or no handshake was under way. */
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
      // So that a charge later in this turn leaves it out.
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
