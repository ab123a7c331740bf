import type { Timers } from "../domain/timers.ts";
import type { Journal } from "../store/journal.ts";

/** The dependencies of {@link Checkpoints}. */
export interface CheckpointOptions {
  readonly journal: Journal;
  readonly timers: Timers;
  /** A checkpoint failed. The state of the disk is unknown until a restart. */
  readonly onFailed: (cause: unknown) => void;
}

/** Runs checkpoints, which keep the write-ahead log of the journal short. */
export class Checkpoints {
  readonly #options: CheckpointOptions;
  #state: "idle" | "due" | "stopped" = "idle";

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  /**
   * Call this after each commit. The checkpoint, if one is due, runs after the responses, so that no caller waits for
   * it.
   */
  committed(): void {
    if (this.#state !== "idle") return;
    this.#state = "due";
    this.#options.timers.afterTurn(() => this.#checkpoint());
  }

  /** Stops. The caller, which closes the journal, makes the last checkpoint. */
  stop(): void {
    this.#state = "stopped";
  }

  #checkpoint(): void {
    if (this.#state === "stopped") return;
    this.#state = "idle";
    try {
      this.#options.journal.checkpoint("due");
    } catch (cause) {
      this.#options.onFailed(cause);
    }
  }
}
