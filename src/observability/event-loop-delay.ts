import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { Gauge, type Registry } from "prom-client";

/** The sampling interval in milliseconds. Each sample includes this interval. */
const DELAY_RESOLUTION_MS = 10;

/** The metric of the event loop's delay: how late timers fire. No call is served during this time. */
export class EventLoopDelay {
  readonly #samples: IntervalHistogram = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });

  /** Starts sampling. */
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

/** Converts a sample in nanoseconds to seconds, without the sampling interval. */
function lateness(sample: number): number {
  return Math.max(0, sample / 1e9 - DELAY_RESOLUTION_MS / 1000);
}
