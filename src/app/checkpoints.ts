import type { Timers } from "../domain/timers.ts";
import type { Journal } from "../store/journal.ts";

/** What checkpoints need. */
export interface CheckpointOptions {
  readonly journal: Journal;
  readonly timers: Timers;
  /** A checkpoint failed: what is on the disk only a restart can tell. */
  readonly onFailed: (cause: unknown) => void;
}

/** Keeps the journal's log short. */
export class Checkpoints {
  readonly #options: CheckpointOptions;
  #state: "idle" | "due" | "stopped" = "idle";

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  /** There was a commit. Whether it calls for a checkpoint is looked at after the replies: no caller waits for it. */
  committed(): void {
    if (this.#state !== "idle") return;
    this.#state = "due";
    this.#options.timers.afterTurn(() => this.#checkpoint());
  }

  /** No more of them: the last one is made by whoever closes the journal. */
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
