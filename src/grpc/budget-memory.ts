import { createHmac, randomFillSync } from "node:crypto";

/** A resource that is limited for each caller. */
export type Resource = "bytes" | "unread" | "calls";

// The memory is an array of 32-bit numbers. One line of a processor's cache has sixteen of them: numbers of different
// callers and pools are in different lines, so that threads which change them do not wait for each other.
const LINE = 16;

/** The numbers of the header, by their index. */
const LOCK = 0;
const FRONTS = 1;
const CAPACITY = 2;
/** The first of the free slots, which are linked by `NEXT`; 0 if there is none. */
const FREE = 3;
/** The key of the hash: 32 bytes. */
const KEY = 8;
const KEY_BYTES = 32;
/** What all callers hold of each resource. */
const POOLS: Readonly<Record<Resource, number>> = { bytes: LINE, unread: 2 * LINE, calls: 3 * LINE };
const BUCKETS = 4 * LINE;

/** The numbers of a slot, by their offset: the hash of its SPIFFE ID, the next slot of its bucket, and what it holds. */
const HASH_NUMBERS = 4;
const NEXT = 4;
const CONNECTIONS = 5;
const HELD: Readonly<Record<Resource, number>> = { bytes: 6, unread: 7, calls: 8 };

/**
 * The slot that is shared by all SPIFFE IDs for which no other slot is free. There are enough other slots for all
 * connections, and for the calls whose work continues after their connections are closed.
 */
const COMMON = 0;

/**
 * What the callers of a process hold, in memory that its threads share: a sum for each resource, and a slot for each
 * SPIFFE ID that has a connection or a call on any thread. The slot is found by a keyed 128-bit hash of the SPIFFE ID. The
 * key is random in each process, so that a caller can't choose a SPIFFE ID that collides.
 *
 * Sums are atomic. Only the table of slots has a lock, which a connection takes when it is opened and when the last one
 * of its SPIFFE ID is closed. A thread that ended while it held the lock would block the others. This has no effect,
 * because the process ends when one of its threads ends, and stops its threads only when it ends itself.
 */
export class BudgetMemory {
  /** To be passed to the other threads. */
  readonly buffer: SharedArrayBuffer;
  /** The sums of the pools and the slots, for atomic operations. */
  readonly numbers: Int32Array;
  readonly #key: Uint8Array;
  readonly #capacity: number;

  /** The same memory in another thread. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.numbers = new Int32Array(buffer);
    // Copied, because node:crypto does not take shared memory.
    this.#key = new Uint8Array(buffer, 4 * KEY, KEY_BYTES).slice();
    this.#capacity = this.#number(CAPACITY);
  }

  /**
   * Memory that `fronts` threads use. `callers` is the maximum number of SPIFFE IDs that have a connection or a call at the
   * same time.
   */
  static of(callers: number, fronts: number): BudgetMemory {
    // A thread that has its maximum of connections adds the next one before it closes another.
    const capacity = callers + fronts + 1;
    const buffer = new SharedArrayBuffer(4 * (BUCKETS + roundUp(capacity) + capacity * LINE));
    const numbers = new Int32Array(buffer);
    numbers.set([0, fronts, capacity, COMMON + 1]);
    new Uint8Array(buffer).set(randomFillSync(new Uint8Array(KEY_BYTES)), 4 * KEY);
    for (let slot = COMMON + 1; slot < capacity - 1; slot++) numbers[startOf(slot, capacity) + NEXT] = slot + 1;
    return new BudgetMemory(buffer);
  }

  /** Whether other threads may change it. */
  get isShared(): boolean {
    return this.#number(FRONTS) > 1;
  }

  /** The number of slots that have no SPIFFE ID. */
  get free(): number {
    return this.#locked(() => {
      let count = 0;
      for (let slot = this.#number(FREE); slot !== COMMON; slot = this.#number(this.#start(slot) + NEXT)) count += 1;
      return count;
    });
  }

  /** Counts a connection of a SPIFFE ID. Returns its slot, which stays that of the SPIFFE ID until {@link endUnused}. */
  join(id: string): number {
    const hash = this.#hash(id);
    return this.#locked(() => {
      const slot = this.#find(hash) ?? this.#claim(hash);
      this.joinAgain(slot);
      return slot;
    });
  }

  /** Counts a further connection of a SPIFFE ID that has one on this thread. */
  joinAgain(slot: number): void {
    Atomics.add(this.numbers, this.#start(slot) + CONNECTIONS, 1);
  }

  /** Removes a connection. */
  leave(slot: number): void {
    if (Atomics.sub(this.numbers, this.#start(slot) + CONNECTIONS, 1) === 1) this.endUnused(slot);
  }

  /** The number of connections of a slot, on all threads. */
  connections(slot: number): number {
    return Atomics.load(this.numbers, this.#start(slot) + CONNECTIONS);
  }

  /**
   * Frees a slot if it has neither a connection nor a call. Call it after the removal of a connection or a call that
   * may have been the last. The last connection and the last call can be removed by two threads in either order: the
   * later one finds both counts at zero.
   */
  endUnused(slot: number): void {
    if (slot !== COMMON && this.#isUnused(slot)) this.#locked(() => this.#free(slot));
  }

  /** The index in {@link numbers} of what all callers hold of a resource. */
  poolIndex(resource: Resource): number {
    return POOLS[resource];
  }

  /** The index in {@link numbers} of what a slot holds of a resource. */
  heldIndex(slot: number, resource: Resource): number {
    return this.#start(slot) + HELD[resource];
  }

  #hash(id: string): Int32Array {
    const digest = createHmac("sha256", this.#key).update(id).digest();
    return new Int32Array(digest.buffer, digest.byteOffset, HASH_NUMBERS).slice();
  }

  #find(hash: Int32Array): number | undefined {
    const isSame = (slot: number) => hash.every((number, i) => number === this.#number(this.#start(slot) + i));
    let slot = this.#number(this.#bucket(hash));
    while (slot !== COMMON && !isSame(slot)) slot = this.#number(this.#start(slot) + NEXT);
    return slot === COMMON ? undefined : slot;
  }

  #claim(hash: Int32Array): number {
    const slot = this.#number(FREE);
    if (slot === COMMON) return COMMON;
    const start = this.#start(slot);
    const bucket = this.#bucket(hash);
    this.numbers[FREE] = this.#number(start + NEXT);
    this.numbers.set(hash, start);
    this.numbers[start + NEXT] = this.#number(bucket);
    this.numbers[bucket] = slot;
    return slot;
  }

  /** Unlinks a slot, unless another thread has added a connection or has freed the slot in the meantime. */
  #free(slot: number): void {
    const start = this.#start(slot);
    if (!this.#isUnused(slot) || !this.#unlink(slot)) return;
    this.numbers.fill(0, start, start + HASH_NUMBERS);
    this.numbers[start + NEXT] = this.#number(FREE);
    this.numbers[FREE] = slot;
  }

  /** Returns false if the slot is in no bucket: another thread has freed it. */
  #unlink(slot: number): boolean {
    const start = this.#start(slot);
    let link = this.#bucket(this.numbers.subarray(start, start + HASH_NUMBERS));
    while (this.#number(link) !== slot) {
      if (this.#number(link) === COMMON) return false;
      link = this.#start(this.#number(link)) + NEXT;
    }
    this.numbers[link] = this.#number(start + NEXT);
    return true;
  }

  #isUnused(slot: number): boolean {
    const start = this.#start(slot);
    return (
      Atomics.load(this.numbers, start + CONNECTIONS) === 0 && Atomics.load(this.numbers, start + HELD.calls) === 0
    );
  }

  #bucket(hash: Int32Array): number {
    return BUCKETS + ((hash[0] ?? 0) & (roundUp(this.#capacity) - 1));
  }

  #start(slot: number): number {
    return startOf(slot, this.#capacity);
  }

  #number(index: number): number {
    return this.numbers[index] ?? 0;
  }

  /** Runs `task`, which takes microseconds, while no other thread is in this function. */
  #locked<T>(task: () => T): T {
    while (Atomics.compareExchange(this.numbers, LOCK, 0, 1) !== 0) Atomics.wait(this.numbers, LOCK, 1);
    try {
      return task();
    } finally {
      Atomics.store(this.numbers, LOCK, 0);
      Atomics.notify(this.numbers, LOCK, 1);
    }
  }
}

/** The number of buckets for `capacity` slots: a power of two. */
function roundUp(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(LINE, capacity)));
}

function startOf(slot: number, capacity: number): number {
  return BUCKETS + roundUp(capacity) + slot * LINE;
}
