import { queueFull } from "../domain/errors.ts";
import { fitsFairly } from "../domain/fair-share.ts";
import type { Changes } from "./changes.ts";
import type { ChangeCommand, ChangeResult } from "./command.ts";
import { overwritePlaintexts } from "./plaintexts.ts";

/**
 * The maximum number of changes of a process that are not answered. It is far above what callers reach while the disk
 * works, and bounds the memory and the delay that collect while the disk stalls: the budgets of callers bound only their
 * bytes, and each change that waits also delays those behind it.
 */
export const MAX_UNANSWERED_CHANGES = 4096;

// Milliseconds. About the time in which a disk that stalled for a moment commits what has collected.
const RETRY_MS = 1000;

/** Memory for the number of unanswered changes of a process, which its threads share. */
export function unansweredMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

/**
 * Passes changes on to another {@link Changes}. While `most` changes of the process are unanswered, it refuses all
 * others with QUEUE_FULL: they are not applied. One caller may have at most half of what the others leave free, so that it
 * can't fill the queue, and its changes are then refused too. A front counts and refuses its own changes, because the store
 * thread takes none from its ports while a commit blocks it.
 *
 * Each front knows only its own changes of a caller. With N fronts, a caller with connections on all of them leaves at
 * least 1/(N + 1) of the places free.
 */
export class BoundedChanges implements Changes {
  readonly #changes: Changes;
  readonly #most: number;
  readonly #unanswered: Int32Array;
  /** The number of unanswered changes of each caller on this front. */
  readonly #byCaller = new Map<string, number>();

  /** `unanswered` is the {@link unansweredMemory} of the process. Default: memory of this thread alone. */
  constructor(changes: Changes, most: number, unanswered = unansweredMemory()) {
    this.#changes = changes;
    this.#most = most;
    this.#unanswered = new Int32Array(unanswered);
  }

  async change(command: ChangeCommand): Promise<ChangeResult> {
    const { author } = command;
    const all = Atomics.add(this.#unanswered, 0, 1);
    const own = this.#byCaller.get(author) ?? 0;
    this.#byCaller.set(author, own + 1);
    try {
      if (fitsFairly(1, { free: this.#most - all, held: own })) return await this.#changes.change(command);
      // The command ends here, so nothing else overwrites its plaintexts.
      overwritePlaintexts(command);
      throw queueFull(RETRY_MS);
    } finally {
      Atomics.sub(this.#unanswered, 0, 1);
      this.#leave(author);
    }
  }

  #leave(author: string): void {
    const left = (this.#byCaller.get(author) ?? 0) - 1;
    if (left > 0) this.#byCaller.set(author, left);
    else this.#byCaller.delete(author);
  }
}
