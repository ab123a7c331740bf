import type { MessagePort } from "node:worker_threads";
import type { FrontConfig } from "./front-config.ts";

/** What a front in another thread gets when it starts: plain data, ports, and memory that all threads share. */
export interface FrontSetup {
  readonly config: FrontConfig;
  /** Orders arrive here, and reports leave. */
  readonly control: MessagePort;
  /** What the store publishes arrives here, and changes leave. */
  readonly feed: MessagePort;
  /** See RemoteWatchRegistry. */
  readonly registry: MessagePort;
  /**
   * Ports for the descriptors of connections, by the number of the front at the other end. The first front has a port
   * to each other front; each other front has one, from the first.
   */
  readonly descriptors: ReadonlyMap<number, MessagePort>;
  /** See PublicationProgress. */
  readonly progress: SharedArrayBuffer;
  /** See CallCounters. */
  readonly counters: SharedArrayBuffer;
  /** See SharedDelays. */
  readonly delays: SharedArrayBuffer;
  /** See ConnectionCounts. */
  readonly connections: SharedArrayBuffer;
  /** See BudgetMemory. */
  readonly budgets: SharedArrayBuffer;
  /** See BoundedChanges. */
  readonly unanswered: SharedArrayBuffer;
  /** See StoreClock. */
  readonly clock: SharedArrayBuffer;
}
