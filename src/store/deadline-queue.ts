/** Something that happens at a time, in milliseconds since the epoch. */
export interface Deadline {
  readonly time: number;
}

/**
 * The queue removes deadlines that no longer apply when it has grown to this number, or to twice its size after the
 * last removal.
 */
const MINIMUM_REVIEW = 1024;

/** Deadlines in a binary heap, so that the next one is found without looking at the others. */
export class DeadlineQueue<T extends Deadline> {
  readonly #applies: (deadline: T) => boolean;
  /** Each element is not later than the elements at `2 * i + 1` and `2 * i + 2`. */
  #heap: T[] = [];
  #reviewAt = MINIMUM_REVIEW;

  /** `applies` returns whether a deadline still has an effect. */
  constructor(applies: (deadline: T) => boolean) {
    this.#applies = applies;
  }

  get size(): number {
    return this.#heap.length;
  }

  add(deadline: T): void {
    if (this.#heap.length >= this.#reviewAt) this.#review();
    this.#push(deadline);
  }

  /** Removes and returns at most `limit` deadlines that have passed at `time` and still apply, earliest first. */
  takeDue(time: number, limit: number): T[] {
    const due: T[] = [];
    for (let [first] = this.#heap; first !== undefined && first.time <= time; [first] = this.#heap) {
      if (due.length === limit) break;
      this.#removeFirst();
      if (this.#applies(first)) due.push(first);
    }
    return due;
  }

  /** Without this, secrets that are put with a time to live again and again would fill the queue. */
  #review(): void {
    const all = this.#heap;
    this.#heap = [];
    for (const deadline of all) if (this.#applies(deadline)) this.#push(deadline);
    this.#reviewAt = Math.max(MINIMUM_REVIEW, 2 * this.#heap.length);
  }

  #push(deadline: T): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(deadline);
    for (let parent = (at - 1) >> 1; at > 0 && this.#isBefore(at, parent); parent = (at - 1) >> 1) {
      this.#swap(at, parent);
      at = parent;
    }
  }

  #removeFirst(): void {
    const heap = this.#heap;
    this.#swap(0, heap.length - 1);
    heap.pop();
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const earlier = right < heap.length && this.#isBefore(right, left) ? right : left;
      if (earlier >= heap.length || !this.#isBefore(earlier, at)) return;
      this.#swap(at, earlier);
      at = earlier;
    }
  }

  #isBefore(left: number, right: number): boolean {
    return this.#timeAt(left) < this.#timeAt(right);
  }

  #timeAt(index: number): number {
    return this.#heap[index]?.time ?? Number.POSITIVE_INFINITY;
  }

  #swap(left: number, right: number): void {
    const { [left]: one, [right]: other } = this.#heap;
    if (one === undefined || other === undefined) return;
    this.#heap[left] = other;
    this.#heap[right] = one;
  }
}
