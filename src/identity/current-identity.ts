import type { Timers } from "../domain/timers.ts";
import { MaterialError } from "../spiffe/material-error.ts";
import { IdentityListeners } from "./identity-listeners.ts";
import type { Identity, IdentitySnapshot, IdentityState } from "./source.ts";

/**
 * The longest time between checks for expiry, in milliseconds. It is limited because the clock can be set in the
 * meantime.
 */
const EXPIRY_CHECK_MS = 60_000;

/**
 * The current state of a source. It numbers the snapshots, drops an identity that has expired, and notifies listeners.
 * The source reports what it found by {@link adopt}, {@link complain} and {@link fail}.
 */
export class CurrentIdentity {
  readonly #timers: Timers;
  readonly #listeners = new IdentityListeners();
  #state: IdentityState;
  #snapshot: IdentitySnapshot | undefined;
  #generation = 0;
  #problems: readonly string[];
  #expired: readonly string[] = [];
  #isFinal = false;
  #stopExpiryCheck = () => {};

  /** Begins in the state "waiting". `missing` is the problem to report until the source reports something else. */
  constructor(timers: Timers, missing: string) {
    this.#timers = timers;
    this.#problems = [missing];
    this.#state = { kind: "waiting", problems: this.#problems };
  }

  get state(): IdentityState {
    return this.#state;
  }

  /** See IdentitySource. */
  snapshot(): IdentitySnapshot {
    if (this.#state.kind !== "ready") throw new MaterialError(...this.#state.problems);
    return this.#state.snapshot;
  }

  /** See IdentitySource. */
  onChange(listener: (snapshot: IdentitySnapshot) => void): () => void {
    return this.#listeners.onChange(listener);
  }

  /** See IdentitySource. */
  onState(listener: (state: IdentityState) => void): () => void {
    return this.#listeners.onState(listener);
  }

  /**
   * Sets the current identity, and replaces all problems by `problems`. Creates no new snapshot if the identity has not
   * changed.
   */
  adopt(identity: Identity, ...problems: readonly string[]): void {
    this.#problems = problems;
    if (this.#snapshot === undefined || !isSame(this.#snapshot, identity)) {
      this.#snapshot = Object.freeze({ ...identity, generation: ++this.#generation });
      this.#awaitExpiry(this.#snapshot);
    }
    this.#update();
  }

  /** Reports why there is no newer identity, with at least one problem. The current identity stays in use. */
  complain(...problems: readonly string[]): void {
    this.#problems = problems;
    this.#update();
  }

  /** Reports that there will be no newer identity. The current one stays in use until it expires. */
  fail(...problems: readonly string[]): void {
    this.#isFinal = true;
    this.complain(...problems);
  }

  /** Removes all listeners and cancels the timer. */
  close(): void {
    this.#stopExpiryCheck();
    this.#listeners.clear();
  }

  #awaitExpiry(snapshot: IdentitySnapshot): void {
    this.#stopExpiryCheck();
    // The validity includes its last millisecond.
    const left = snapshot.validUntil + 1 - this.#timers.clock();
    const pause = Math.max(0, Math.min(left, EXPIRY_CHECK_MS));
    this.#stopExpiryCheck = this.#timers.delay(pause, () => this.#checkExpiry(snapshot));
  }

  #checkExpiry(snapshot: IdentitySnapshot): void {
    if (this.#timers.clock() <= snapshot.validUntil) this.#awaitExpiry(snapshot);
    else this.#expire(snapshot);
  }

  /**
   * Drops the identity, because no peer accepts an expired SVID. The bundles are dropped as well: a source without
   * updates for the whole lifetime of an SVID can't know which CAs are still trusted.
   */
  #expire({ svid, validUntil }: IdentitySnapshot): void {
    this.#snapshot = undefined;
    this.#expired = [`the X.509-SVID of ${svid.id} expired at ${new Date(validUntil).toISOString()}`];
    this.#update();
  }

  #update(): void {
    const before = this.#state;
    const after = this.#describe();
    if (isSameState(before, after)) return;
    this.#state = after;
    this.#listeners.notify(before, after);
  }

  #describe(): IdentityState {
    if (this.#snapshot !== undefined) return { kind: "ready", snapshot: this.#snapshot, problems: this.#problems };
    return { kind: this.#isFinal ? "failed" : "waiting", problems: [...this.#expired, ...this.#problems] };
  }
}

function isSame(left: Identity, right: Identity): boolean {
  if (!left.svid.equals(right.svid) || left.bundles.size !== right.bundles.size) return false;
  return [...left.bundles].every(([name, bundle]) => right.bundles.get(name)?.equals(bundle));
}

function isSameState(left: IdentityState, right: IdentityState): boolean {
  const sameProblems = left.problems.join("\n") === right.problems.join("\n");
  return left.kind === right.kind && snapshotOf(left) === snapshotOf(right) && sameProblems;
}

function snapshotOf(state: IdentityState): IdentitySnapshot | undefined {
  return state.kind === "ready" ? state.snapshot : undefined;
}
