import type { Timers } from "../domain/timers.ts";
import type { BudgetMemory, Resource } from "./budget-memory.ts";
import { Share } from "./share.ts";
import { WaitingCallers } from "./waiting-callers.ts";

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

// The calls are given back last: a slot without calls and connections may immediately be given to another SPIFFE ID.
const RESOURCES: readonly Resource[] = ["bytes", "unread", "calls"];

type Shares = Readonly<Record<Resource, Share>>;

/** What {@link Budgets} need. */
export interface BudgetsOptions {
  readonly limits: BudgetLimits;
  readonly minimum: BudgetLimits;
  /** What the callers of all threads hold. */
  readonly memory: BudgetMemory;
  readonly timers: Pick<Timers, "delay">;
}

/**
 * The budgets of the callers that have connections on this thread, by SPIFFE ID. One mechanism limits everything that a
 * caller can make the process hold. The limits are those of the process: threads with the same memory share them.
 */
export class Budgets {
  readonly #options: BudgetsOptions;
  readonly #byId = new Map<string, Budget>();
  readonly #waiting: WaitingCallers<Budget>;

  constructor(options: BudgetsOptions) {
    this.#options = options;
    this.#waiting = new WaitingCallers(options.memory.isShared ? options.timers : undefined);
  }

  /** Adds a connection of a SPIFFE ID, and returns its budget. Call {@link leave} when the connection is closed. */
  join(id: string): Budget {
    const joined = this.#byId.get(id);
    if (joined !== undefined) joined.join();
    const budget = joined ?? new Budget(this.#options, id, this.#waiting);
    this.#byId.set(id, budget);
    return budget;
  }

  /** Removes a connection of a SPIFFE ID. Its budget ends with its last connection on this thread. */
  leave(id: string): void {
    if (this.#byId.get(id)?.leave() === "left") this.#byId.delete(id);
  }

  /**
   * The budget of the SPIFFE ID with the most connections in the process, of those that have one on this thread;
   * undefined if this thread has no connections.
   */
  get mostConnected(): Budget | undefined {
    let most: Budget | undefined;
    for (const budget of this.#byId.values()) if (budget.connections > (most?.connections ?? 0)) most = budget;
    return most;
  }
}

/** What one SPIFFE ID holds, over all its connections on all threads. */
export class Budget {
  readonly shares: Shares;
  readonly #memory: BudgetMemory;
  readonly #slot: number;
  readonly #waiting: WaitingCallers<Budget>;
  /** The number of its connections on this thread. */
  #joined = 1;
  /** Its requests on this thread that wait for space, in order of arrival. */
  readonly #queue = new Map<Lease, { readonly bytes: number; readonly granted: () => void }>();
  /** Its streams on this thread that wait for space. */
  readonly #streams = new Map<Lease, { readonly bytes: number; readonly task: () => void }>();

  /** The budget of a SPIFFE ID that has its first connection on this thread. */
  constructor({ limits, minimum, memory }: BudgetsOptions, id: string, waiting: WaitingCallers<Budget>) {
    const slot = memory.join(id);
    const share = (resource: Resource) =>
      new Share({ memory, slot, resource, size: limits[resource], minimum: minimum[resource] });
    this.shares = { bytes: share("bytes"), unread: share("unread"), calls: share("calls") };
    this.#memory = memory;
    this.#slot = slot;
    this.#waiting = waiting;
  }

  /** The number of the open connections of the SPIFFE ID, on all threads. */
  get connections(): number {
    return this.#memory.connections(this.#slot);
  }

  /** Adds a connection. */
  join(): void {
    this.#joined += 1;
    this.#memory.joinAgain(this.#slot);
  }

  /** Removes a connection. "left": it was the last one on this thread. */
  leave(): "joined" | "left" {
    this.#joined -= 1;
    this.#memory.leave(this.#slot);
    return this.#joined === 0 ? "left" : "joined";
  }

  /**
   * The lease of a new call; undefined if the caller has reached its limit of calls, or has no connection left on this
   * thread: its slot of the memory may then belong to another SPIFFE ID.
   */
  open(): Lease | undefined {
    if (this.#joined === 0 || !this.shares.calls.fits(1)) return undefined;
    return new Lease(this);
  }

  /** A call is over. It may be the last one that a closed connection has left. */
  closed(): void {
    if (this.#joined === 0) this.#memory.endUnused(this.#slot);
    this.#waiting.wakeAll();
  }

  /** Queues a request for bytes. Calls `granted` when there is space for them. */
  wait(lease: Lease, bytes: number, granted: () => void): void {
    this.#queue.set(lease, { bytes, granted });
    this.#waiting.add(this);
  }

  /**
   * Calls `task` when there is space for `bytes`, without taking the space. A waiting stream does not delay requests,
   * because it can wait as long as other streams of its caller are not read.
   */
  whenFits(lease: Lease, bytes: number, task: () => void): void {
    this.#streams.set(lease, { bytes, task });
    this.#waiting.add(this);
  }

  /** Removes a request or a stream that waits: there is space for it, or its call is over. */
  forget(lease: Lease): void {
    const hasWaited = this.#queue.delete(lease) || this.#streams.delete(lease);
    if (hasWaited && this.#queue.size + this.#streams.size === 0) this.#waiting.delete(this);
  }

  /** The maximum that the SPIFFE ID may hold of a resource now. */
  limitOf(resource: Resource): number {
    return this.shares[resource].limit;
  }

  /** Whether one of its requests on this thread waits. A later request must not overtake it. */
  get isWaiting(): boolean {
    return this.#queue.size > 0;
  }

  /** Grants the waiting requests the bytes that fit now. If none waits any longer, wakes the streams. */
  wake(): void {
    for (const [lease, { bytes, granted }] of this.#queue) {
      if (!this.shares.bytes.fits(bytes)) return;
      this.forget(lease);
      lease.hold("bytes", bytes);
      granted();
    }
    for (const [lease, { bytes, task }] of this.#streams) {
      if (!this.shares.bytes.fits(bytes)) continue;
      this.forget(lease);
      task();
    }
  }
}

/** What one call holds of its caller's budget, until it is released. */
export class Lease {
  readonly #budget: Budget;
  readonly #held = { bytes: 0, unread: 0, calls: 0 };
  #isDiscarded = false;
  #isReleased = false;
  #isRetained = false;

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

  /** Gives back bytes that {@link hold} has taken, and wakes what waits for them. Does nothing after the release. */
  drop(bytes: number): void {
    if (this.#isReleased || bytes === 0) return;
    this.#return("bytes", bytes);
    this.#budget.closed();
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

  /** See {@link Budget.whenFits}. */
  whenFits(bytes: number, task: () => void): void {
    this.#budget.whenFits(this, bytes, task);
  }

  /** The maximum that its caller may hold of a resource now. */
  limitOf(resource: Resource): number {
    return this.#budget.limitOf(resource);
  }

  /**
   * Gives back all but the call: its request is discarded, and waits no longer. If the call is retained, this happens
   * later. Wakes no other request, because this is called while one is granted: waking the next one from here would nest as
   * deep as there are waiting requests.
   */
  discard(): void {
    this.#isDiscarded = true;
    this.#budget.forget(this);
    if (this.#isRetained) return;
    this.#return("bytes");
    this.#return("unread");
  }

  /**
   * Keeps what the call holds until the returned function is called, also if the call is over before. Otherwise a caller
   * could cancel each of its Puts while the disk stalls, and fill the memory with their contents.
   */
  retain(): () => void {
    this.#isRetained = true;
    return () => {
      this.#isRetained = false;
      if (this.#isReleased) this.#returnAll();
      else if (this.#isDiscarded) this.drop(this.#held.bytes);
    };
  }

  /** Gives back everything that the call holds, because the call is over; if it is retained, later. */
  release(): void {
    this.#isReleased = true;
    this.#budget.forget(this);
    if (!this.#isRetained) this.#returnAll();
  }

  #returnAll(): void {
    for (const resource of RESOURCES) this.#return(resource);
    this.#budget.closed();
  }

  #return(resource: Resource, amount = this.#held[resource]): void {
    if (amount === 0) return;
    this.#held[resource] -= amount;
    this.#budget.shares[resource].give(amount);
  }
}
