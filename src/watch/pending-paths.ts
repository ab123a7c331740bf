import { KeyedQueue } from "../domain/keyed-queue.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { WatchLimits } from "./watch-limits.ts";

/** The bytes of memory that a waiting path takes: an entry of a Set. The path itself is the store's. */
const PENDING_BYTES = 64;

/** Memory that is taken from the caller's budget. */
export interface HeldMemory {
  /** Takes bytes from the budget. False if there is no space for them. */
  readonly hold: (bytes: number) => boolean;
  /** Gives bytes back to the budget. */
  readonly drop: (bytes: number) => void;
}

/** The paths that changed and were not sent yet, each once, in the order of their last changes. */
export class PendingPaths {
  readonly #memory: HeldMemory;
  readonly #paths = new KeyedQueue<SecretPath, SecretPath>();
  readonly #step: number;
  readonly #most: number;
  /** The number of paths for which there is memory. */
  #reserved: number;

  constructor(memory: HeldMemory, { pending, pendingStep }: WatchLimits) {
    this.#memory = memory;
    this.#step = pendingStep;
    this.#most = pending;
    this.#reserved = pendingStep;
  }

  get size(): number {
    return this.#paths.size;
  }

  /** Adds a path at the end, or moves it there. False if there is no space for it. */
  add(path: SecretPath): boolean {
    this.#paths.delete(path);
    if (this.#paths.size === this.#reserved && !this.#reserve()) return false;
    this.#paths.put(path, path);
    return true;
  }

  /** Removes and returns the first path. */
  take(): SecretPath | undefined {
    const first = this.#paths.take();
    if (this.#paths.size === 0) this.clear();
    return first?.[0];
  }

  /** Removes all paths, and gives their bytes back to the budget. */
  clear(): void {
    this.#paths.clear();
    if (this.#reserved > this.#step) this.#memory.drop((this.#reserved - this.#step) * PENDING_BYTES);
    this.#reserved = this.#step;
  }

  #reserve(): boolean {
    if (this.#reserved >= this.#most || !this.#memory.hold(this.#step * PENDING_BYTES)) return false;
    this.#reserved += this.#step;
    return true;
  }
}
