import { Gauge, type Registry } from "prom-client";
import { DelaySamples } from "./delay-samples.ts";
import type { Delays, SharedDelays } from "./shared-delays.ts";

/** The metric of the delay of event loops: that of this thread, and those of the fronts in other threads. */
export class EventLoopDelay {
  readonly #samples = new DelaySamples();

  /** Starts sampling. `fronts` is undefined if the only front is in this thread. */
  constructor(registry: Registry, fronts: SharedDelays | undefined) {
    const take = () => this.#take(fronts);
    new Gauge({
      name: "coffer_event_loop_delay_seconds",
      help: "Delay of timers since the last scrape.",
      labelNames: ["thread", "quantile"],
      registers: [registry],
      collect() {
        for (const [thread, { median, high, longest }] of take()) {
          this.set({ thread, quantile: "0.5" }, median);
          this.set({ thread, quantile: "0.99" }, high);
          this.set({ thread, quantile: "1" }, longest);
        }
      },
    });
  }

  /** Stops sampling. */
  close(): void {
    this.#samples.close();
  }

  #take(fronts: SharedDelays | undefined): (readonly [thread: string, delays: Delays])[] {
    const own = this.#samples.read();
    this.#samples.reset();
    if (fronts === undefined) return [[frontName(0), own]];
    return [["store", own], ...fronts.take().map((delays, front) => [frontName(front), delays] as const)];
  }
}

/** The label of a front, counted from 0. */
export function frontName(front: number): string {
  return `front ${front + 1}`;
}
