/** How many items wait for the consumer before the producer stops. */
const CAPACITY = 16;

type Waiter<Item> = {
  readonly resolve: (result: IteratorResult<Item, undefined>) => void;
  readonly reject: (error: Error) => void;
};

/** Hands items to a consumer that may be slow. The producer fetches no more while the queue has no space. */
export class EventQueue<Item> {
  #items: Item[] = [];
  #waiters: Waiter<Item>[] = [];
  #end: { readonly error: Error | undefined } | undefined;
  #wakeProducer = () => {};

  /** Whether the producer may fetch more. */
  get hasSpace(): boolean {
    return this.#items.length < CAPACITY;
  }

  /** Resolves at the next change of {@link hasSpace}, at the end, or with {@link wake}. Only one call at a time. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeProducer = resolve;
    });
  }

  /** Wakes the producer. */
  wake(): void {
    this.#wakeProducer();
  }

  /** The last item, if the consumer has not taken it. */
  get last(): Item | undefined {
    return this.#items.at(-1);
  }

  /** Adds an item, also if there is no space. Returns false if the queue has ended. */
  push(item: Item): boolean {
    if (this.#end !== undefined) return false;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#items.push(item);
    else waiter.resolve({ done: false, value: item });
    return true;
  }

  /** Replaces the last item that the consumer has not taken. */
  replaceLast(item: Item): void {
    this.#items.splice(-1, 1, item);
  }

  /** The next item. Rejects once with the error of the end, if it has one. */
  next(): Promise<IteratorResult<Item, undefined>> {
    const [item] = this.#items.splice(0, 1);
    if (item !== undefined) {
      this.#wakeProducer();
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#end === undefined) return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
    const { error } = this.#end;
    this.#end = { error: undefined };
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  /**
   * Ends the queue, once. With an error, the consumer still gets the items that wait, and then the error. Returns the
   * items that it no longer gets.
   */
  end(error?: Error): readonly Item[] {
    if (this.#end !== undefined) return [];
    this.#end = { error };
    const dropped = error === undefined ? this.#items.splice(0) : [];
    const [first, ...others] = this.#waiters.splice(0);
    if (first !== undefined && error !== undefined) {
      this.#end = { error: undefined };
      first.reject(error);
    } else first?.resolve({ done: true, value: undefined });
    for (const waiter of others) waiter.resolve({ done: true, value: undefined });
    this.#wakeProducer();
    return dropped;
  }
}
