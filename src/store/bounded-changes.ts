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

/** Memory for the number of unanswered changes of a process, which all threads share. */
export function unansweredMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

/**
 * Passes changes to others, and refuses those above a number of unanswered ones with QUEUE_FULL: they are not applied. Each
 * front has its own over the same memory. The store thread can't refuse: while a commit waits for the disk, it reads no message.
 */
export class BoundedChanges implements Changes {
  readonly #changes: Changes;
  readonly #most: number;
  readonly #unanswered: Int32Array;

  /** `memory` is that of {@link unansweredMemory}, if other threads request changes too. */
  constructor(changes: Changes, most: number, memory = unansweredMemory()) {
    this.#changes = changes;
    this.#most = most;
    this.#unanswered = new Int32Array(memory);
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
    try {
      if (Atomics.add(this.#unanswered, 0, 1) < this.#most) return await change();
      refused();
      throw queueFull(RETRY_MS);
    } finally {
      Atomics.sub(this.#unanswered, 0, 1);
    }
  }
}
