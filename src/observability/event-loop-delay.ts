import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { Gauge, type Registry } from "prom-client";

/** How often the event loop's delay is sampled, in milliseconds. The samples contain this interval themselves. */
const DELAY_RESOLUTION_MS = 10;

/** The metric of how late timers fire: for as long nobody was served. */
export class EventLoopDelay {
  readonly #samples: IntervalHistogram = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });

  /** Begins to sample. */
  constructor(registry: Registry) {
    const samples = this.#samples;
    samples.enable();
    new Gauge({
      name: "coffer_event_loop_delay_seconds",
      help: "Delay of timers since the last scrape.",
      labelNames: ["quantile"],
      registers: [registry],
      collect() {
        this.set({ quantile: "0.5" }, lateness(samples.percentile(50)));
        this.set({ quantile: "0.99" }, lateness(samples.percentile(99)));
        this.set({ quantile: "1" }, lateness(samples.max));
        samples.reset();
      },
    });
  }

  /** Stops sampling. */
  close(): void {
    this.#samples.disable();
  }
}

/** Seconds beyond the sampling interval; a sample of nanoseconds contains it. */
function lateness(sample: number): number {
  return Math.max(0, sample / 1e9 - DELAY_RESOLUTION_MS / 1000);
}
