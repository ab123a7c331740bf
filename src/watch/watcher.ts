import { svidExpired } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import { type Position, after, compare, completeRevision, placeOf } from "../store/position.ts";
import type { Revision } from "../store/revision.ts";
import { POLICY_CHANGING, type TimelinePosition, canContinue, positionOf } from "./bookmark.ts";
import { type Candidate, stateOf } from "./candidate.ts";
import { type EarlierSight, EarlierSights, MOST_EARLIER_SIGHTS } from "./earlier-sights.ts";
import { PendingPaths } from "./pending-paths.ts";
import { PolicyDifference, UNKNOWN } from "./policy-difference.ts";
import type { Stepwise } from "./rota.ts";
import { type Scan, scanOf } from "./scan.ts";
import { Sight } from "./sight.ts";
import type { WatchEvent } from "./watch-event.ts";
import type { WatchScope } from "./watch-scope.ts";
import type { WatcherOptions } from "./watcher-options.ts";

/**
 * - walk: sends everything that changed after `base`, or everything that exists if it is 0. SYNCED follows.
 * - policy: sends what a policy change has made visible or invisible, in path order. SYNCED follows.
 * - live: sends each path that changed, in the order of revisions.
 */
type Task =
  | { readonly kind: "walk"; readonly base: Revision; readonly until: Revision; readonly scan: Scan }
  | { readonly kind: "policy"; readonly difference: PolicyDifference }
  | { readonly kind: "live" };

const LIVE: Task = { kind: "live" };

/**
 * One watch. It remembers which paths to send and not what: an event is created from the newest state, and authorized,
 * when its stream has space for it. A watcher that does not read therefore takes little memory, and no time.
 */
export class Watcher implements Stepwise {
  readonly #options: WatcherOptions;
  readonly #pending: PendingPaths;
  #sight: Sight;
  /** The revision of the store when {@link #sight} began. */
  #sightSince: Revision;
  /** The revision of the store when the policy of {@link #sight} was replaced; undefined if it is in force. */
  #sightUntil: Revision | undefined;
  #task: Task = LIVE;
  /** The caller knows all changes up to this position. If the watcher is caught up, the caller knows all changes. */
  #position: Position = after(0);
  /** Events that are not about one secret, in order. They are sent first. */
  #notices: WatchEvent[] = [];
  /** The next secret to send. */
  #outgoing: Candidate | undefined;
  /** More paths have changed than can wait. The watcher then finds in the store what has changed after its position. */
  #isBehind = false;
  /** The sights before a policy change, until the watcher begins to send the difference that the change has made. */
  #earlier: EarlierSights | undefined;

  constructor(options: WatcherOptions) {
    const { caller, request, sink, memory, authorizer, limits } = options;
    this.#options = options;
    this.#pending = new PendingPaths(sink, limits);
    this.#sight = new Sight(authorizer(), caller.id, request);
    this.#sightSince = memory.revision;
    if (canContinue(memory, request.from, this.#sight.fingerprint)) this.#walk(request.from.revision);
    else this.#resync();
  }

  get watchId(): string {
    return this.#options.watchId;
  }

  get scope(): WatchScope {
    return this.#options.request.scope;
  }

  /** A path that the watch names has changed, at this revision. */
  changed(path: SecretPath, revision: Revision): void {
    if (this.#isBehind || !this.#sight.allows(path)) return;
    if (this.#isCaughtUp) this.#position = after(revision - 1);
    if (!this.#pending.add(path)) this.#fallBehind();
    this.#options.wake();
  }

  /** The policy has changed. The next step adopts it: to adopt it for thousands of watchers in one turn takes seconds. */
  policyChanged(): void {
    this.#sightUntil ??= this.#options.memory.revision;
    this.#options.wake();
  }

  /** Sends a heartbeat when there is space for it. None arrives before SYNCED. */
  beat(): void {
    if (this.#task.kind === "walk" || this.#earlier !== undefined || this.#notices.length > 0) return;
    this.#notices.push(this.#heartbeat(this.#task.kind === "policy" ? POLICY_CHANGING : this.#sight.fingerprint));
    this.#options.wake();
  }

  /** Gives the bytes that it holds back to the budget of its caller. */
  close(): void {
    this.#pending.clear();
  }

  step(): boolean {
    const { sink, clock, caller } = this.#options;
    if (sink.isOver || !sink.fits(0)) return false;
    if (clock() > caller.validUntil) {
      sink.fail(svidExpired());
      return false;
    }
    this.#adoptPolicy();
    if (this.#hasMissedPurge) this.#resync();
    const notice = this.#notices.shift();
    if (notice !== undefined) sink.send(notice);
    else if (this.#outgoing !== undefined) return this.#deliver(this.#outgoing);
    else return this.#advance();
    return true;
  }

  get #isCaughtUp(): boolean {
    if (this.#task.kind !== "live" || this.#isBehind) return false;
    return this.#earlier === undefined && this.#outgoing === undefined && this.#pending.size === 0;
  }

  /** Whether the store has removed a tombstone that the caller may not know. A snapshot needs no tombstones. */
  get #hasMissedPurge(): boolean {
    const isSnapshot = this.#task.kind === "walk" && this.#task.base === 0;
    return !isSnapshot && !this.#isCaughtUp && completeRevision(this.#position) < this.#options.memory.forgotten;
  }

  /** Does a part of the task. Returns whether there is more to do. */
  #advance(): boolean {
    switch (this.#task.kind) {
      case "walk":
        this.#outgoing = this.#walked(this.#task);
        return true;
      case "policy":
        this.#compare(this.#task.difference);
        return true;
      case "live":
        if (this.#earlier !== undefined) this.#beginDifference(this.#earlier);
        else this.#outgoing = this.#isBehind ? this.#nextChange() : this.#firstPending();
        return !this.#isCaughtUp;
    }
  }

  // ---- snapshot, and continuing from a revision

  #walk(base: Revision): void {
    const { memory } = this.#options;
    const until = memory.revision;
    this.#position = after(base);
    this.#task = {
      kind: "walk",
      base,
      until,
      scan: scanOf({ memory, scope: this.scope, sight: this.#sight, base, until }),
    };
  }

  #walked({ scan, base, until }: Task & { kind: "walk" }): Candidate | undefined {
    const stored = scan.advance();
    if (scan.isOver) {
      this.#position = after(until);
      this.#finish();
    }
    if (stored === undefined) return undefined;
    const { revision } = stored;
    // What has changed since the walk began is pending, and is sent after the walk.
    return revision > base && revision <= until ? stateOf(stored) : undefined;
  }

  /** Ends the task with SYNCED. */
  #finish(): void {
    this.#task = LIVE;
    this.#endCaughtUp();
    this.#notices.push(this.#synced());
  }

  #synced(): WatchEvent {
    const { readable, fingerprint: policy } = this.#sight;
    const { requested } = this.scope;
    return { kind: "synced", ...this.#complete, readable, requested, watchId: this.watchId, policy };
  }

  #resync(): void {
    this.#pending.clear();
    this.#outgoing = undefined;
    this.#earlier = undefined;
    this.#isBehind = false;
    this.#notices = [{ kind: "resync" }];
    this.#walk(0);
  }

  // ---- changes

  #firstPending(): Candidate | undefined {
    const path = this.#pending.take();
    const stored = path === undefined ? undefined : this.#options.memory.get(path);
    // The store has removed the tombstone of the path. The next step sees that and begins a snapshot.
    return stored === undefined ? undefined : stateOf(stored);
  }

  /** Looks at what has changed first after the position. The watcher is no longer behind if there is nothing. */
  #nextChange(): Candidate | undefined {
    const stored = this.#options.memory.changedAfter(this.#position);
    if (stored === undefined) {
      this.#isBehind = false;
      this.#endCaughtUp();
      return undefined;
    }
    if (this.scope.covers(stored.path) && this.#sight.allows(stored.path)) return stateOf(stored);
    this.#position = placeOf(stored);
    return undefined;
  }

  /** Sends a secret, unless it has changed in the meantime: it then waits to be sent with the later change. */
  #deliver(candidate: Candidate): boolean {
    const { events, sink, request } = this.#options;
    const event = candidate.isRevoked ? undefined : events.prepare(candidate, request.withValues);
    if (event !== undefined && !sink.fits(event.bytes)) return false;
    this.#outgoing = undefined;
    if (candidate.isRevoked) sink.send({ kind: "revoked", path: candidate.path, ...this.#complete });
    else if (event !== undefined) sink.send(event.make());
    if (this.#task.kind !== "walk" && compare(candidate, this.#position) > 0) this.#position = candidate;
    this.#endCaughtUp();
    return true;
  }

  #endCaughtUp(): void {
    if (this.#isCaughtUp) this.#position = after(this.#options.memory.revision);
  }

  #fallBehind(): void {
    this.#pending.clear();
    this.#isBehind = true;
  }

  // ---- policy changes

  #adoptPolicy(): void {
    const { caller, request, memory, authorizer } = this.#options;
    // This call can report a change of the policy.
    const current = authorizer();
    if (this.#sightUntil === undefined) return;
    const before = { sight: this.#sight, since: this.#sightSince, until: this.#sightUntil };
    this.#sight = new Sight(current, caller.id, request);
    this.#sightUntil = undefined;
    if (before.sight.fingerprint === this.#sight.fingerprint) return;
    this.#sightSince = memory.revision;
    if (this.#task.kind === "walk") this.#resync();
    else this.#remember(before);
  }

  /** Remembers the sights that decided what the caller knows: several, if a difference was being sent. */
  #remember(before: EarlierSight): void {
    // The paths that wait are those that the sight before allows. The current one can allow others that have changed.
    if (this.#isCaughtUp) this.#position = after(this.#options.memory.revision);
    else this.#fallBehind();
    this.#outgoing = undefined;
    // Nothing was sent under the sight before.
    if (this.#earlier !== undefined) return;
    const known = this.#task.kind === "policy" ? this.#task.difference.earlier : new EarlierSights();
    known.add(before);
    this.#task = LIVE;
    this.#earlier = known;
    if (known.count > MOST_EARLIER_SIGHTS) this.#resync();
  }

  #beginDifference(earlier: EarlierSights): void {
    const { memory } = this.#options;
    const options = { memory, scope: this.scope, sight: this.#sight, earlier, base: this.#position };
    this.#earlier = undefined;
    this.#task = { kind: "policy", difference: new PolicyDifference(options) };
    this.#notices.push(this.#heartbeat(POLICY_CHANGING));
  }

  #compare(difference: PolicyDifference): void {
    const next = difference.advance();
    if (next === UNKNOWN) this.#resync();
    else if (difference.isOver) this.#finish();
    else this.#outgoing = next;
  }

  #heartbeat(policy: string): WatchEvent {
    return { kind: "heartbeat", ...this.#complete, policy };
  }

  get #complete(): TimelinePosition {
    const { memory } = this.#options;
    return positionOf(this.#isCaughtUp ? memory.revision : completeRevision(this.#position), memory);
  }
}
