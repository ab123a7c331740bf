import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { PathPattern, SpiffeIdPattern } from "../../../src/authorization/pattern.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import { secureRandom } from "../../../src/sealing/random.ts";
import { NO_WATCHERS } from "../../../src/store/watch-registry.ts";
import type { WatchEvent } from "../../../src/watch/watch-event.ts";
import { WatchHub } from "../../../src/watch/watch-hub.ts";
import { WatchScope } from "../../../src/watch/watch-scope.ts";
import { FollowedStore } from "../../support/followed-store.ts";
import { plainSealer } from "../../support/plain-sealer.ts";
import { BEGINNING } from "../../support/watch-world.ts";

const CALLER = SpiffeId.parse("spiffe://example.org/caller");
const PATH = parseSecretPath("path/0");
const PUT = { kind: "put", path: 0, bytes: 8 } as const;

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** What a policy decides by that allows the caller to read and watch everything, or nothing. */
function inForce(epoch: number, isAllowed: boolean) {
  const rule = {
    name: "all",
    spiffeIds: [SpiffeIdPattern.parse(CALLER.toString())],
    paths: [PathPattern.parse("**")],
    actions: new Set(["read", "watch"] as const),
  };
  return { policy: { rules: isAllowed ? [rule] : [] }, admins: [], epoch };
}

/** A store with two fronts. They have applied policy 1, which allows the caller everything, and a put of the path. */
function begin() {
  const store = new FollowedStore(2, 1);
  const [one, other] = store.fronts as [(typeof store.fronts)[0], (typeof store.fronts)[0]];
  store.feed.replacePolicy(inForce(1, true));
  store.publish([PUT]);
  for (const { port } of store.fronts) port.deliver(port.waiting);
  return { store, one, other };
}

/** The policy that decides a call on a front, and whether it allows the caller to read. */
function decided({ replica }: ReturnType<typeof begin>["one"]): string {
  const authorizer = replica.authorizer();
  return `policy ${authorizer.epoch}: ${authorizer.decide(CALLER, "read", PATH).kind}`;
}

describe("policies on several fronts", () => {
  // A front whose messages wait takes them from its port. Otherwise a caller with two connections could be denied on one of
  // them, and be allowed after that on the other one.
  it("decide no call after a newer one has decided a call on another front", () => {
    const { store, one, other } = begin();
    store.feed.replacePolicy(inForce(2, false));
    one.port.deliver(1);
    assert.equal(decided(one), "policy 2: denied");
    assert.equal(other.port.waiting, 1, "the policy has not been delivered to the other front");
    assert.equal(decided(other), "policy 2: denied");
  });

  // The control: a decision does not wait for a policy, and does not take one that was not announced.
  it("decide until they are replaced", () => {
    const { store, one, other } = begin();
    assert.deepEqual([decided(one), decided(other)], ["policy 1: allowed", "policy 1: allowed"]);
    store.publish([PUT]);
    assert.deepEqual([decided(one), decided(other)], ["policy 1: allowed", "policy 1: allowed"]);
  });

  // The store thread can be preempted after it has posted a policy to one front, and before it has posted it to the other.
  it("decide nothing before all fronts can use them, although one front has received them", () => {
    const { store, one, other } = begin();
    const seen: string[] = [];
    store.onPost = () => {
      one.port.deliver(one.port.waiting);
      seen.push(decided(one), decided(other));
    };
    store.feed.replacePolicy(inForce(2, false));
    assert.ok(seen.length > 0);
    assert.deepEqual(new Set(seen), new Set(["policy 1: allowed"]));
    assert.deepEqual([decided(one), decided(other)], ["policy 2: denied", "policy 2: denied"]);
  });

  // A value that is written after a withdrawal is not for the caller whose permission was withdrawn. A call that was decided
  // before the withdrawal reads what was there at that time.
  it("decide a call and what it reads as of one moment", () => {
    const { store, one, other } = begin();
    assert.equal(decided(other), "policy 1: allowed");
    const { revision } = other.replica.memory;
    store.feed.replacePolicy(inForce(2, false));
    store.publish([PUT]);
    assert.equal(decided(one), "policy 2: denied");
    assert.equal(one.replica.memory.revision, revision + 1);
    assert.equal(other.replica.memory.revision, revision);
    assert.equal(decided(other), "policy 2: denied");
  });

  // As for calls: the front takes the withdrawal from its port before it sends the event.
  it("let no front send an event after a newer one has decided a call on another front", () => {
    const { store, one, other } = begin();
    const { events, work } = watch(store, other.replica);
    work();
    assert.deepEqual(kinds(events), ["secret", "synced"]);
    store.publish([PUT]);
    other.port.deliver(1);
    store.feed.replacePolicy(inForce(2, false));
    assert.equal(decided(one), "policy 2: denied");
    work();
    assert.deepEqual(kinds(events), ["secret", "synced", "heartbeat", "revoked", "synced"]);
  });

  // The control: without the withdrawal, the same event is sent.
  it("let a front send an event that they allow", () => {
    const { store, one, other } = begin();
    const { events, work } = watch(store, other.replica);
    work();
    store.publish([PUT]);
    other.port.deliver(1);
    assert.equal(decided(one), "policy 1: allowed");
    work();
    assert.deepEqual(kinds(events), ["secret", "synced", "secret"]);
  });
});

/** A watch of everything on a front. Its hub works when the test calls `work`. */
function watch({ timers }: FollowedStore, replica: ReturnType<typeof begin>["one"]["replica"]) {
  const { memory, authorizer } = replica;
  let tasks: (() => void)[] = [];
  const hub = new WatchHub({
    ...{ memory, authorizer, sealer: plainSealer, random: secureRandom },
    clock: { now: timers.clock },
    timers: { ...timers, afterTurn: (task: () => void) => void tasks.push(task) },
    registry: { ...NO_WATCHERS, opened: (_watch, registered) => registered(), closed: () => {}, report: () => {} },
  });
  replica.onPolicy(() => hub.policyChanged());
  const events: WatchEvent[] = [];
  const caller = { id: CALLER, connection: 1, validUntil: Number.POSITIVE_INFINITY };
  const request = { scope: new WatchScope([PATH], []), withValues: false, from: BEGINNING };
  const { end } = hub.begin(caller, request, () => ({
    isOver: false,
    fits: () => true,
    hold: () => true,
    drop: () => {},
    send: (event) => events.push(event),
    fail: assert.fail,
  }));
  ends.push(end);
  const work = () => {
    for (let due = tasks; due.length > 0; due = tasks) {
      tasks = [];
      for (const task of due) task();
    }
  };
  return { events, work };
}

function kinds(events: readonly WatchEvent[]): string[] {
  return events.map(({ kind }) => kind);
}
