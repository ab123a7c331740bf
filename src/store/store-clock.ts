import type { Timers } from "../domain/timers.ts";

/** Memory for the clock of a process, which its threads share. */
export function storeClockMemory(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
  new BigInt64Array(memory).fill(-(2n ** 63n));
  return memory;
}

/**
 * The store's clock, in milliseconds since the epoch. It decides the times of changes, and which versions have expired.
 * It is the wall clock as long as that is not set back. After that, it continues at the rate of the monotonic clock,
 * until the wall clock has reached it. So it never runs backwards, on whichever thread it is read, and a version that was
 * seen as expired remains so. After a suspension of the machine, in which the monotonic clock stands still, it follows
 * the wall clock forward.
 *
 * It is the highest difference seen between the wall clock and the monotonic clock, added to the monotonic clock.
 */
export class StoreClock {
  readonly #timers: Pick<Timers, "clock" | "monotonic">;
  readonly #offset: BigInt64Array;

  /** `memory` is the {@link storeClockMemory} of the process. Default: memory of this thread alone. */
  constructor(timers: Pick<Timers, "clock" | "monotonic">, memory = storeClockMemory()) {
    this.#timers = timers;
    this.#offset = new BigInt64Array(memory);
  }

  now(): number {
    const monotonic = Math.floor(this.#timers.monotonic());
    return monotonic + this.#raise(Math.floor(this.#timers.clock()) - monotonic);
  }

  /** Sets the clock forward to a time, if it is behind: the time of a change that was loaded. */
  advanceTo(time: number): void {
    this.#raise(Math.ceil(time) - Math.floor(this.#timers.monotonic()));
  }

  /** Returns the highest offset that any thread has seen, this one included. */
  #raise(offset: number): number {
    const own = BigInt(offset);
    for (let known = Atomics.load(this.#offset, 0); ; ) {
      if (own <= known) return Number(known);
      const found = Atomics.compareExchange(this.#offset, 0, known, own);
      if (found === known) return offset;
      known = found;
    }
  }
}
