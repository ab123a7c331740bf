import { queueFull } from "../domain/errors.ts";
import type { Changes } from "./changes.ts";
import type { DeleteCommand, DeleteResult, PutCommand, PutResult } from "./operation.ts";

/**
 * The maximum number of changes of a process that are not answered. It is far above what callers reach while the disk
 * works, and bounds the memory and the delay that collect while the disk stalls: the budgets of callers bound only their
 * bytes, and each change that waits also delays those behind it.
 */
export const MAX_UNANSWERED_CHANGES = 4096;

// Milliseconds. About the time in which a disk that stalled for a moment commits what has collected.
const RETRY_MS = 1000;

/** Passes changes to others, and refuses those above a number of unanswered ones with QUEUE_FULL: they are not applied. */
export class BoundedChanges implements Changes {
  readonly #changes: Changes;
  readonly #most: number;
  #unanswered = 0;

  constructor(changes: Changes, most: number) {
    this.#changes = changes;
    this.#most = most;
  }

  put(command: PutCommand): Promise<PutResult> {
    return this.#pass(
      () => this.#changes.put(command),
      // It ends here, so nothing else overwrites it.
      () => void command.plaintext.fill(0),
    );
  }

  delete(command: DeleteCommand): Promise<DeleteResult> {
    return this.#pass(
      () => this.#changes.delete(command),
      () => {},
    );
  }

  async #pass<T>(change: () => Promise<T>, refused: () => void): Promise<T> {
    if (this.#unanswered >= this.#most) {
      refused();
      throw queueFull(RETRY_MS);
    }
    this.#unanswered += 1;
    try {
      return await change();
    } finally {
      this.#unanswered -= 1;
    }
  }
}
