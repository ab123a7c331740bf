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

  /**
   * Whether the caller may hold `amount` more. It may hold at most half of what the others leave free, so that space
   * remains for them. A caller that holds nothing may take all that is free. Every caller may hold the minimum.
   */
  fits(amount: number): boolean {
    const held = Atomics.load(this.#numbers, this.#held);
    const free = this.#size - Atomics.load(this.#numbers, this.#used);
    return held + amount <= this.#limit(free, held) || (held === 0 && amount <= free);
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
    const held = Atomics.load(this.#numbers, this.#held);
    return this.#limit(this.#size - Atomics.load(this.#numbers, this.#used), held);
  }

  #limit(free: number, held: number): number {
    return Math.max(this.#minimum, Math.floor((free + held) / 2));
  }
}
