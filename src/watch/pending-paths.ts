import type { SecretPath } from "../domain/secret-path.ts";

/** The most paths that wait for one watcher. A watcher with more finds them again in the store. */
export const MOST_PENDING = 4096;

/** The bytes of memory that a waiting path takes: an entry of a Set. The path itself is the store's. */
export const PENDING_BYTES = 64;

// The paths for which memory is taken at once.
const STEP = 64;

/** What the caller's budget still allows. */
export interface HeldMemory {
  /** Takes bytes from the budget. False if there is no space for them. */
  readonly hold: (bytes: number) => boolean;
  /** Returns bytes. */
  readonly drop: (bytes: number) => void;
}

/** The paths that changed and were not sent yet, each once, in the order of their last changes. */
export class PendingPaths {
  readonly #memory: HeldMemory;
  readonly #paths = new Set<SecretPath>();
  #reserved = STEP;

  /** The first paths take no memory from the budget: they are part of what a call costs. */
  constructor(memory: HeldMemory) {
    this.#memory = memory;
  }

  get size(): number {
    return this.#paths.size;
  }

  get first(): SecretPath | undefined {
    for (const path of this.#paths) return path;
    return undefined;
  }

  /** Moves a path to the end. False if there is no space for it. */
  add(path: SecretPath): boolean {
    this.#paths.delete(path);
    if (this.#paths.size === this.#reserved && !this.#reserve()) return false;
    this.#paths.add(path);
    return true;
  }

  delete(path: SecretPath): void {
    this.#paths.delete(path);
    if (this.#paths.size === 0) this.clear();
  }

  /** Removes all paths, and returns their memory. */
  clear(): void {
    this.#paths.clear();
    if (this.#reserved > STEP) this.#memory.drop((this.#reserved - STEP) * PENDING_BYTES);
    this.#reserved = STEP;
  }

  #reserve(): boolean {
    if (this.#reserved >= MOST_PENDING || !this.#memory.hold(STEP * PENDING_BYTES)) return false;
    this.#reserved += STEP;
    return true;
  }
}
