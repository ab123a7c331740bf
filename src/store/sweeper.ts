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
  /**
   * Resolves when the first commit of the first sweep has ended. If it has not failed, the files contain no removed content
   * of an earlier process.
   */
  readonly firstErasure: Promise<void>;
  readonly #options: SweeperOptions;
  #onErased = () => {};
  #cancel = () => {};
  #isStopped = false;

  /** Begins with a sweep. */
  constructor(options: SweeperOptions) {
    this.#options = options;
    this.firstErasure = new Promise((resolve) => {
      this.#onErased = resolve;
    });
    void this.#run();
  }

  /** Submits nothing more to the store. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  async #run(): Promise<void> {
    const continues = () => {
      this.#onErased();
      return !this.#isStopped;
    };
    await this.#options.store.sweep(continues).catch(this.#options.onFailed);
    this.#onErased();
    if (!this.#isStopped) this.#cancel = this.#options.timers.delay(PAUSE_MS, () => void this.#run());
  }
}
