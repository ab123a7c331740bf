/** What all calls together may hold. One SPIFFE ID may hold at most half of what the others leave. */
export interface BudgetLimits {
  /** Bytes of requests that are read, and of answers that are not sent. */
  readonly bytes: number;
  /** Requests that are not complete yet: HTTP/2 lets a peer send 64 KiB of each before it is read. */
  readonly unread: number;
  /** Calls under way. */
  readonly calls: number;
}

/** With copies while they are decoded and sealed, these take some 400 MB at the most (docs/operations.md, "Capacity"). */
export const DEFAULT_BUDGET_LIMITS: BudgetLimits = { bytes: 64 * 1024 * 1024, unread: 1024, calls: 8192 };

/**
 * What each caller may hold, whatever the others hold. Halves of what is left come to nothing after some ten callers, and
 * an attacker with the SVIDs of that many workloads would keep all others out. The bytes are those of one window of
 * HTTP/2, which a caller may send before anything is read; and an answer may begin as long as they are not used up.
 */
export const LEAST_BUDGET: BudgetLimits = { bytes: 64 * 1024, unread: 4, calls: 16 };

/** What is bounded. */
export type Resource = keyof BudgetLimits;

/** One resource of the process. */
class Pool {
  readonly size: number;
  /** What each caller may hold of it, also when it is used up. */
  readonly least: number;
  used = 0;

  constructor(size: number, least: number) {
    this.size = size;
    this.least = least;
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
   * Whether the caller may have `amount` more. It may not have more than half of what the others leave, so that others
   * find room. One that holds nothing may take all that is free, and each may have the least that every caller gets.
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

  /** The most that the caller could hold now. */
  get limit(): number {
    return Math.max(this.#pool.least, Math.floor((this.#pool.free + this.#held) / 2));
  }
}

type Pools = Readonly<Record<Resource, Pool>>;
type Shares = Readonly<Record<Resource, Share>>;

/** The budgets of all callers, by SPIFFE ID: one mechanism for whatever a caller can make the process hold. */
export class Budgets {
  readonly #pools: Pools;
  readonly #byId = new Map<string, Budget>();
  /** The callers for whose next request there was no room, in the order in which they began to wait. */
  readonly #waiting = new Set<Budget>();

  constructor(limits: BudgetLimits, least: BudgetLimits) {
    const pool = (resource: Resource) => new Pool(limits[resource], least[resource]);
    this.#pools = { bytes: pool("bytes"), unread: pool("unread"), calls: pool("calls") };
  }

  /** The budget of a SPIFFE ID, for as long as one of its connections is open: `leave` ends that. */
  join(id: string): Budget {
    const budget = this.#byId.get(id) ?? new Budget(this.#pools, this.#waiting);
    this.#byId.set(id, budget);
    budget.connections += 1;
    return budget;
  }

  /** A connection of the SPIFFE ID is closed. */
  leave(id: string): void {
    const budget = this.#byId.get(id);
    if (budget === undefined) return;
    budget.connections -= 1;
    if (budget.connections === 0) this.#byId.delete(id);
  }

  /** That of the SPIFFE ID with the most connections; undefined when there is none. */
  get mostConnected(): Budget | undefined {
    let most: Budget | undefined;
    for (const budget of this.#byId.values()) if (budget.connections > (most?.connections ?? 0)) most = budget;
    return most;
  }
}

/** What one SPIFFE ID holds, over all its connections. */
export class Budget {
  /** Its open connections. */
  connections = 0;
  readonly shares: Shares;
  readonly #everyone: Set<Budget>;
  /** Its requests that wait for room, in order of arrival. */
  readonly #queue = new Map<Lease, { readonly bytes: number; readonly granted: () => void }>();

  constructor(pools: Pools, waiting: Set<Budget>) {
    this.shares = { bytes: new Share(pools.bytes), unread: new Share(pools.unread), calls: new Share(pools.calls) };
    this.#everyone = waiting;
  }

  /** What a new call holds; undefined when the caller has as many as it may. */
  open(): Lease | undefined {
    if (!this.shares.calls.fits(1)) return undefined;
    return new Lease(this);
  }

  /** Calls `granted` when the bytes have room: now, or when others have given theirs back. */
  wait(lease: Lease, bytes: number, granted: () => void): void {
    this.#queue.set(lease, { bytes, granted });
    this.#everyone.add(this);
  }

  /** The call is over, or its request need not be read any more. */
  forget(lease: Lease): void {
    if (!this.#queue.delete(lease) || this.#queue.size > 0) return;
    this.#everyone.delete(this);
  }

  /** What it could hold of a resource at the most, as of now. */
  limitOf(resource: Resource): number {
    return this.shares[resource].limit;
  }

  /** Whether one of its requests waits: a later one must not overtake it. */
  get isWaiting(): boolean {
    return this.#queue.size > 0;
  }

  /** Room was given back: requests that wait may go on. */
  wakeAll(): void {
    for (const budget of this.#everyone) budget.#wake();
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

/** What one call holds of its caller's budget. Everything is given back when it is released. */
export class Lease {
  readonly #budget: Budget;
  readonly #held = { bytes: 0, unread: 0, calls: 0 };
  #isReleased = false;

  constructor(budget: Budget) {
    this.#budget = budget;
    this.hold("calls", 1);
  }

  /** Whether its caller may have so much more. */
  fits(resource: Resource, amount: number): boolean {
    return this.#budget.shares[resource].fits(amount);
  }

  /** Whether it holds anything of a resource. */
  holds(resource: Resource): boolean {
    return this.#held[resource] > 0;
  }

  /** Holds more, whether or not it fits. A Put may be answered after its call is over: that is not counted. */
  hold(resource: Resource, amount: number): void {
    if (this.#isReleased) return;
    this.#held[resource] += amount;
    this.#budget.shares[resource].take(amount);
  }

  /** Its request is about to be read: it no longer counts among the unread ones. No request waits for that. */
  read(): void {
    this.#give("unread");
  }

  /** Holds bytes, now if there is room and nothing of its caller waits before it. False when it has to wait. */
  request(bytes: number, granted: () => void): boolean {
    if (this.#budget.isWaiting || !this.fits("bytes", bytes)) {
      this.#budget.wait(this, bytes, granted);
      return false;
    }
    this.hold("bytes", bytes);
    granted();
    return true;
  }

  /** What its caller could hold of a resource at the most, as of now. */
  limitOf(resource: Resource): number {
    return this.#budget.limitOf(resource);
  }

  /** The call is over. */
  release(): void {
    this.#isReleased = true;
    this.#budget.forget(this);
    for (const resource of ["bytes", "unread", "calls"] as const) this.#give(resource);
    this.#budget.wakeAll();
  }

  #give(resource: Resource): void {
    this.#budget.shares[resource].give(this.#held[resource]);
    this.#held[resource] = 0;
  }
}
