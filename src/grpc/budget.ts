/** Limits for all calls together. One SPIFFE ID may use at most half of what the others leave free. */
export interface BudgetLimits {
  /** Bytes of requests that have been read, and of answers that have not been sent. */
  readonly bytes: number;
  /** Incomplete requests. HTTP/2 lets a peer send 64 KiB of each before the server reads it. */
  readonly unread: number;
  /** Calls in flight. */
  readonly calls: number;
}

/**
 * Including copies during decoding and encryption, these take at most about 400 MB (docs/operations.md, "Capacity").
 */
export const DEFAULT_BUDGET_LIMITS: BudgetLimits = { bytes: 64 * 1024 * 1024, unread: 1024, calls: 8192 };

/**
 * The minimum that each caller may always hold. Without it, ten callers could reduce the share of the next one to
 * almost nothing, and an attacker with the SVIDs of ten workloads could lock out all others. The minimum of bytes is
 * one HTTP/2 window, which a caller may send before the server reads anything. A caller that holds no more than this
 * minimum may also begin another answer, of any size.
 */
export const MINIMUM_BUDGET: BudgetLimits = { bytes: 64 * 1024, unread: 4, calls: 16 };

/** A resource that is limited for each caller. */
export type Resource = keyof BudgetLimits;

/** One resource, which all callers share. */
class Pool {
  readonly size: number;
  /** What each caller may hold even if the pool is used up. */
  readonly minimum: number;
  used = 0;

  constructor(size: number, minimum: number) {
    this.size = size;
    this.minimum = minimum;
  }

  get free(): number {
    return this.size - this.used;
  }
}

/** What one caller holds of a pool. */
class Share {
  readonly #pool: Pool;
  #held = 0;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /**
   * Whether the caller may hold `amount` more. It may hold at most half of what the others leave free, so that space
   * remains for them. A caller that holds nothing may take all that is free. Every caller may hold the pool's minimum.
   */
  fits(amount: number): boolean {
    const held = this.#held + amount;
    return held <= this.limit || (this.#held === 0 && amount <= this.#pool.free);
  }

  take(amount: number): void {
    this.#held += amount;
    this.#pool.used += amount;
  }

  give(amount: number): void {
    this.take(-amount);
  }

  /** The maximum that the caller may hold now. */
  get limit(): number {
    return Math.max(this.#pool.minimum, Math.floor((this.#pool.free + this.#held) / 2));
  }
}

type Pools = Readonly<Record<Resource, Pool>>;
type Shares = Readonly<Record<Resource, Share>>;

/**
 * The budgets of all callers, by SPIFFE ID. One mechanism limits everything that a caller can make the process hold.
 */
export class Budgets {
  readonly #pools: Pools;
  readonly #byId = new Map<string, Budget>();
  /** The callers with requests that wait for space, in the order in which they began to wait. */
  readonly #waiting = new Set<Budget>();

  constructor(limits: BudgetLimits, minimum: BudgetLimits) {
    const pool = (resource: Resource) => new Pool(limits[resource], minimum[resource]);
    this.#pools = { bytes: pool("bytes"), unread: pool("unread"), calls: pool("calls") };
  }

  /** Adds a connection of a SPIFFE ID, and returns its budget. Call {@link leave} when the connection is closed. */
  join(id: string): Budget {
    const budget = this.#byId.get(id) ?? new Budget(this.#pools, this.#waiting);
    this.#byId.set(id, budget);
    budget.connections += 1;
    return budget;
  }

  /** Removes a connection of a SPIFFE ID. Its budget ends with its last connection. */
  leave(id: string): void {
    const budget = this.#byId.get(id);
    if (budget === undefined) return;
    budget.connections -= 1;
    if (budget.connections === 0) this.#byId.delete(id);
  }

  /** The budget of the SPIFFE ID with the most connections; undefined if there are no connections. */
  get mostConnected(): Budget | undefined {
    let most: Budget | undefined;
    for (const budget of this.#byId.values()) if (budget.connections > (most?.connections ?? 0)) most = budget;
    return most;
  }
}

/** What one SPIFFE ID holds, over all its connections. */
export class Budget {
  /** The number of its open connections. */
  connections = 0;
  readonly shares: Shares;
  readonly #waiting: Set<Budget>;
  /** Its requests that wait for space, in order of arrival. */
  readonly #queue = new Map<Lease, { readonly bytes: number; readonly granted: () => void }>();

  constructor(pools: Pools, waiting: Set<Budget>) {
    this.shares = { bytes: new Share(pools.bytes), unread: new Share(pools.unread), calls: new Share(pools.calls) };
    this.#waiting = waiting;
  }

  /** The lease of a new call; undefined if the caller has reached its limit of calls. */
  open(): Lease | undefined {
    if (!this.shares.calls.fits(1)) return undefined;
    return new Lease(this);
  }

  /** Queues a request for bytes. Calls `granted` when there is space for them. */
  wait(lease: Lease, bytes: number, granted: () => void): void {
    this.#queue.set(lease, { bytes, granted });
    this.#waiting.add(this);
  }

  /** Removes a request from the queue: it has its bytes, or its call is over. */
  forget(lease: Lease): void {
    if (!this.#queue.delete(lease) || this.#queue.size > 0) return;
    this.#waiting.delete(this);
  }

  /** The maximum that the SPIFFE ID may hold of a resource now. */
  limitOf(resource: Resource): number {
    return this.shares[resource].limit;
  }

  /** Whether one of its requests waits. A later request must not overtake it. */
  get isWaiting(): boolean {
    return this.#queue.size > 0;
  }

  /** Grants the waiting requests of all callers the bytes that fit now. Call it after space was released. */
  wakeAll(): void {
    for (const budget of this.#waiting) budget.#wake();
  }

  #wake(): void {
    for (const [lease, { bytes, granted }] of this.#queue) {
      if (!this.shares.bytes.fits(bytes)) return;
      this.forget(lease);
      lease.hold("bytes", bytes);
      granted();
    }
  }
}

/** What one call holds of its caller's budget, until it is released. */
export class Lease {
  readonly #budget: Budget;
  readonly #held = { bytes: 0, unread: 0, calls: 0 };
  #isReleased = false;

  constructor(budget: Budget) {
    this.#budget = budget;
    this.hold("calls", 1);
  }

  /** Whether its caller may hold `amount` more of a resource. */
  fits(resource: Resource, amount: number): boolean {
    return this.#budget.shares[resource].fits(amount);
  }

  /** Whether it holds anything of a resource. */
  holds(resource: Resource): boolean {
    return this.#held[resource] > 0;
  }

  /**
   * Holds more, whether or not it fits. Does nothing after the release: a Put can be answered after its call is over.
   */
  hold(resource: Resource, amount: number): void {
    if (this.#isReleased) return;
    this.#held[resource] += amount;
    this.#budget.shares[resource].take(amount);
  }

  /**
   * The request of this call is about to be read, so it is no longer counted as unread. This wakes no other request,
   * because requests wait only for bytes.
   */
  read(): void {
    this.#return("unread");
  }

  /**
   * Takes bytes and calls `granted` if there is space and no earlier request of its caller waits; otherwise queues it
   * and returns false.
   */
  request(bytes: number, granted: () => void): boolean {
    if (this.#budget.isWaiting || !this.fits("bytes", bytes)) {
      this.#budget.wait(this, bytes, granted);
      return false;
    }
    this.hold("bytes", bytes);
    granted();
    return true;
  }

  /** The maximum that its caller may hold of a resource now. */
  limitOf(resource: Resource): number {
    return this.#budget.limitOf(resource);
  }

  /** Returns everything that the call holds, because the call is over. */
  release(): void {
    this.#isReleased = true;
    this.#budget.forget(this);
    for (const resource of ["bytes", "unread", "calls"] as const) this.#return(resource);
    this.#budget.wakeAll();
  }

  #return(resource: Resource): void {
    this.#budget.shares[resource].give(this.#held[resource]);
    this.#held[resource] = 0;
  }
}
