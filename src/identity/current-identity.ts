import type { Timers } from "../domain/timers.ts";
import { MaterialError } from "../spiffe/material-error.ts";
import type { Identity, IdentitySnapshot, IdentityState } from "./source.ts";

/** How often the end of the validity is looked for, in milliseconds: the clock may be set in the meantime. */
const EXPIRY_CHECK_MS = 60_000;

/**
 * What a source knows at the moment: it keeps the state, numbers the snapshots, lets go of an identity that has expired
 * and tells those who listen. The source itself says what it found: {@link adopt}, {@link complain}, {@link fail}.
 */
export class CurrentIdentity {
  readonly #timers: Timers;
  readonly #changeListeners = new Set<(snapshot: IdentitySnapshot) => void>();
  readonly #stateListeners = new Set<(state: IdentityState) => void>();
  #state: IdentityState;
  #snapshot: IdentitySnapshot | undefined;
  #generation = 0;
  #problems: readonly string[];
  #expired: readonly string[] = [];
  #hopeless = false;
  #stopExpiryCheck = () => {};

  /** Begins to wait; `missing` says for what. */
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
    return subscribe(this.#changeListeners, listener);
  }

  /** See IdentitySource. */
  onState(listener: (state: IdentityState) => void): () => void {
    return subscribe(this.#stateListeners, listener);
  }

  /**
   * This is the newest. All problems are over but those that are given, which it has nevertheless. The same identity
   * once more makes no new snapshot.
   */
  adopt(identity: Identity, ...problems: readonly string[]): void {
    this.#problems = problems;
    if (this.#snapshot === undefined || !isSame(this.#snapshot, identity)) {
      this.#snapshot = Object.freeze({ ...identity, generation: ++this.#generation });
      this.#awaitExpiry(this.#snapshot);
    }
    this.#update();
  }

  /** Nothing newer can be had, for these reasons, at least one. What there is stays in use. */
  complain(...problems: readonly string[]): void {
    this.#problems = problems;
    this.#update();
  }

  /** Nothing newer will ever be had. What there is stays in use until it expires. */
  fail(...problems: readonly string[]): void {
    this.#hopeless = true;
    this.complain(...problems);
  }

  /** Nobody is told anything any more. */
  close(): void {
    this.#stopExpiryCheck();
    this.#changeListeners.clear();
    this.#stateListeners.clear();
  }

  #awaitExpiry(snapshot: IdentitySnapshot): void {
    this.#stopExpiryCheck();
    // The last millisecond of its validity is a valid one.
    const left = snapshot.validUntil + 1 - this.#timers.clock();
    const pause = Math.max(0, Math.min(left, EXPIRY_CHECK_MS));
    this.#stopExpiryCheck = this.#timers.delay(pause, () => this.#checkExpiry(snapshot));
  }

  #checkExpiry(snapshot: IdentitySnapshot): void {
    if (this.#timers.clock() <= snapshot.validUntil) this.#awaitExpiry(snapshot);
    else this.#expire(snapshot);
  }

  /**
   * No peer accepts an expired SVID. The bundles go with it: whoever has had no news for the whole life of an SVID does
   * not know either whom to trust.
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
    if (after.kind === "ready" && after.snapshot !== snapshotOf(before)) {
      for (const listener of this.#changeListeners) listener(after.snapshot);
    }
    for (const listener of this.#stateListeners) listener(after);
  }

  #describe(): IdentityState {
    if (this.#snapshot !== undefined) return { kind: "ready", snapshot: this.#snapshot, problems: this.#problems };
    return { kind: this.#hopeless ? "failed" : "waiting", problems: [...this.#expired, ...this.#problems] };
  }
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
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
