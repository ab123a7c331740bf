import { type Holding, fairShare, fitsFairly } from "../domain/fair-share.ts";
import type { BudgetMemory, Resource } from "./budget-memory.ts";

/** What a {@link Share} needs. */
export interface ShareOptions {
  readonly memory: BudgetMemory;
  /** The slot of the caller in the memory. */
  readonly slot: number;
  readonly resource: Resource;
  /** What all callers together may hold. */
  readonly size: number;
  /** What each caller may hold even if the others hold everything. */
  readonly minimum: number;
}

/**
 * What one caller may hold of a resource, and holds. The check and the change are two steps: with several threads, a
 * limit can be exceeded by at most one request for each thread.
 */
export class Share {
  readonly #numbers: Int32Array;
  /** The indexes of what all callers hold, and of what this one holds. */
  readonly #used: number;
  readonly #held: number;
  readonly #size: number;
  /** What each caller may hold even if the pool is used up. */
  readonly #minimum: number;

  constructor({ memory, slot, resource, size, minimum }: ShareOptions) {
    this.#numbers = memory.numbers;
    this.#used = memory.poolIndex(resource);
    this.#held = memory.heldIndex(slot, resource);
    this.#size = size;
    this.#minimum = minimum;
  }

  /** Whether the caller may hold `amount` more, see {@link fitsFairly}. */
  fits(amount: number): boolean {
    return fitsFairly(amount, this.#holding, this.#minimum);
  }

  take(amount: number): void {
    Atomics.add(this.#numbers, this.#held, amount);
    Atomics.add(this.#numbers, this.#used, amount);
  }

  give(amount: number): void {
    this.take(-amount);
  }

  /** The maximum that the caller may hold now. */
  get limit(): number {
    return fairShare(this.#holding, this.#minimum);
  }

  get #holding(): Holding {
    const held = Atomics.load(this.#numbers, this.#held);
    return { free: this.#size - Atomics.load(this.#numbers, this.#used), held };
  }
}
