import type { Timers } from "../domain/timers.ts";
import type { SecretStore } from "./secret-store.ts";

/**
 * Milliseconds between two sweeps. The content of an expired version is gone within a minute, with time for a commit that
 * fails once.
 */
const PAUSE_MS = 15_000;

/** The dependencies of a {@link Sweeper}. */
export interface SweeperOptions {
  readonly store: Pick<SecretStore, "sweep">;
  readonly timers: Pick<Timers, "delay">;
  /** A sweep failed, for example because the disk is full. The next one tries again. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * Regularly removes what the passing of time ends: the content of expired versions, tombstones after their retention, and
 * old request ids.
 */
export class Sweeper {
  readonly #options: SweeperOptions;
  #cancel = () => {};
  #isStopped = false;

  /** Begins with a sweep. */
  constructor(options: SweeperOptions) {
    this.#options = options;
    void this.#run();
  }

  /** Submits nothing more to the store. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  async #run(): Promise<void> {
    await this.#options.store.sweep(() => this.#isStopped).catch(this.#options.onFailed);
    if (!this.#isStopped) this.#cancel = this.#options.timers.delay(PAUSE_MS, () => void this.#run());
  }
}
