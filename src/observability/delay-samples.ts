import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { Timers } from "../domain/timers.ts";
import { type Delays, NO_DELAYS, type SharedDelays } from "./shared-delays.ts";

/** The sampling interval in milliseconds. Each sample includes this interval. */
const DELAY_RESOLUTION_MS = 10;

/** Milliseconds between two reports of a front. */
const REPORT_MS = 1000;

/** Samples of the delays of an event loop. */
export interface DelaySource {
  /** The delays since the start, or since the last reset. */
  read(): Delays;
  reset(): void;
  close(): void;
}

/** Samples how late the timers of this thread fire. The thread serves no call during this time. */
export class DelaySamples implements DelaySource {
  readonly #samples: IntervalHistogram = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });

  constructor() {
    this.#samples.enable();
  }

  read(): Delays {
    const samples = this.#samples;
    const [median, high] = [samples.percentile(50), samples.percentile(99)];
    return { median: lateness(median), high: lateness(high), longest: lateness(samples.max) };
  }

  reset(): void {
    this.#samples.reset();
  }

  close(): void {
    this.#samples.disable();
  }
}

/**
 * Reports the delays of this front's event loop once in a second, until the returned function is called. Each sample is
 * part of one scrape or two.
 */
export function reportDelays(
  delays: SharedDelays,
  front: number,
  timers: Pick<Timers, "delay">,
  samples: DelaySource = new DelaySamples(),
): () => void {
  let scrapes = delays.scrapes;
  let before = NO_DELAYS;
  let cancel = () => {};
  const report = () => {
    const now = samples.read();
    delays.put(front, longer(before, now));
    // The samples since the last report are in none of the scrapes so far, so they are part of the next one.
    if (delays.scrapes !== scrapes) {
      scrapes = delays.scrapes;
      before = now;
      samples.reset();
    }
    cancel = timers.delay(REPORT_MS, report);
  };
  report();
  return () => {
    cancel();
    samples.close();
  };
}

function longer(one: Delays, other: Delays): Delays {
  return {
    median: Math.max(one.median, other.median),
    high: Math.max(one.high, other.high),
    longest: Math.max(one.longest, other.longest),
  };
}

/** Converts a sample in nanoseconds to seconds, without the sampling interval. */
function lateness(sample: number): number {
  return Math.max(0, sample / 1e9 - DELAY_RESOLUTION_MS / 1000);
}
