import { describe, it, mock } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { LONG } from "../support/long-form.ts";
import { WatchClient, type Watched } from "../support/watch-client.ts";
import { type SecretChange, WatchWorld } from "../support/watch-world.ts";
import { EarlierSights } from "../../src/watch/earlier-sights.ts";
import { EventMaker } from "../../src/watch/event-maker.ts";
import { PendingPaths } from "../../src/watch/pending-paths.ts";
import { Sight } from "../../src/watch/sight.ts";
import { WatcherIndex } from "../../src/watch/watcher-index.ts";
import { Memory } from "../../src/store/memory.ts";
import { type Position, after } from "../../src/store/position.ts";
import { type TimelineStart, Timelines } from "../../src/store/timelines.ts";
import { WatchHub } from "../../src/watch/watch-hub.ts";

const PATHS = ["a", "a/b", "a/c", "a/d", "ab", "b/x", "b/y", "c"];

const path = fc.constantFrom(...PATHS);

const change = fc.record({
  path,
  kind: fc.constantFrom<SecretChange>("put", "put", "put", "delete", "undelete", "destroy", "purge", "settings"),
});

const policy = fc.constantFrom<readonly string[]>(
  ["**"],
  ["a/**"],
  ["b/**", "a/b"],
  ["a/**", "b/**", "ab"],
  ["c", "a"],
  [],
);

const watched: fc.Arbitrary<Watched> = fc.constantFrom(
  { paths: [], prefixes: [""] },
  { paths: ["a/b", "zz"], prefixes: [] },
  { paths: ["a/b", "c"], prefixes: ["a/", "a"] },
  { paths: ["ab"], prefixes: ["b/"] },
);

type Step = (world: WatchWorld, clients: readonly WatchClient[]) => void;

const client = fc.nat({ max: 1 });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.array(change, { minLength: 1, maxLength: 3 }).map(
      (all): Step =>
        (world) =>
          world.commit(all),
    ),
  },
  {
    weight: 2,
    arbitrary: policy.map(
      (patterns): Step =>
        (world) =>
          world.setPolicy(patterns),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.record({ at: client, steps: fc.nat({ max: 25 }), budget: fc.constantFrom(0, 200, 1000) }).map(
      ({ at, steps, budget }): Step =>
        (world, clients) => {
          clients[at]!.read(steps, budget);
          world.turns.end();
        },
    ),
  },
  {
    weight: 2,
    arbitrary: client.map(
      (at): Step =>
        (_world, clients) =>
          clients[at]!.connect(true),
    ),
  },
  {
    weight: 1,
    arbitrary: client.map(
      (at): Step =>
        (_world, clients) =>
          clients[at]!.connect(false),
    ),
  },
  {
    weight: 2,
    arbitrary: client.map(
      (at): Step =>
        (_world, clients) =>
          clients[at]!.disconnect(),
    ),
  },
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.forget()) },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.turns.beat()) },
  {
    weight: 1,
    arbitrary: fc.constant<Step>((world, clients) => {
      for (const each of clients) each.lose();
      world.restart();
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.backUp()) },
  {
    weight: 1,
    arbitrary: fc.constant<Step>((world, clients) => {
      for (const each of clients) each.lose();
      world.restore();
    }),
  },
);

/** More steps, and more bytes, than the server needs to send everything. */
const ALL_STEPS = 1_000_000;

function readAll(world: WatchWorld, clients: readonly WatchClient[]): void {
  for (const each of clients) {
    each.connect(true);
    each.read(ALL_STEPS, ALL_STEPS);
  }
  while (world.turns.end());
  for (const each of clients) each.checkComplete();
}

const property = fc.property(
  policy,
  fc.tuple(watched, watched),
  fc.array(step, { maxLength: 60, size: "max" }),
  (first, what, steps) => {
    const world = new WatchWorld(first);
    const clients = what.map((each) => new WatchClient(world, each));
    for (const each of steps) each(world, clients);
    readAll(world, clients);
    // A watcher that is caught up is sent the next change, and nothing else.
    world.commit([{ path: "a/b", kind: "put" }]);
    readAll(world, clients);
  },
);

describe("watchers", () => {
  // Whatever changes, however slowly they read, whenever they reconnect, and also if the store is replaced by an older copy
  // of itself, all watchers finally know the newest state of what they may see. No event is unauthorized, out of order,
  // outdated or before its commit; see WatchClient.
  it("know the newest states of what they may see, in the order of revisions", () => {
    fc.assert(property, { numRuns: LONG ? 100_000 : 2000 });
  });

  // A simulation that finds no fault in a faulty server would prove nothing.
  const faults: [name: string, make: () => void][] = [
    ["a policy change is not followed", () => mock.method(WatchHub.prototype, "policyChanged", () => {})],
    ["a watcher that falls behind is not noticed", () => mock.method(PendingPaths.prototype, "add", () => true)],
    [
      "a path that changes again keeps its place",
      () => {
        const { add } = PendingPaths.prototype;
        const waiting = new WeakMap<PendingPaths, Set<string>>();
        const { take, clear } = PendingPaths.prototype;
        mock.method(PendingPaths.prototype, "add", function (this: PendingPaths, path: never) {
          const set = waiting.get(this) ?? new Set();
          waiting.set(this, set);
          if (set.has(path)) return true;
          set.add(path);
          return add.call(this, path);
        });
        mock.method(PendingPaths.prototype, "take", function (this: PendingPaths) {
          const path = take.call(this);
          if (path !== undefined) waiting.get(this)?.delete(path);
          return path;
        });
        mock.method(PendingPaths.prototype, "clear", function (this: PendingPaths) {
          waiting.delete(this);
          clear.call(this);
        });
      },
    ],
    [
      "an older state is sent after it has changed",
      () => {
        const { prepare } = EventMaker.prototype;
        mock.method(EventMaker.prototype, "prepare", function (this: EventMaker, place: never, withValues: boolean) {
          const event = prepare.call(this, place, withValues);
          if (event === undefined) return undefined;
          const made = event.make();
          return { bytes: event.bytes, make: () => made };
        });
        const { get } = Memory.prototype;
        let before: unknown;
        mock.method(Memory.prototype, "get", function (this: Memory, path: never) {
          const now = get.call(this, path);
          const answer = before ?? now;
          before = now;
          return answer;
        });
      },
    ],
    [
      "a watcher that has fallen behind is regarded as caught up",
      () => mock.method(Memory.prototype, "changedAfter", () => undefined),
    ],
    [
      "a watcher that has fallen behind skips the rest of a revision",
      () => {
        const { changedAfter } = Memory.prototype;
        mock.method(Memory.prototype, "changedAfter", function (this: Memory, { revision }: Position) {
          return changedAfter.call(this, after(revision));
        });
      },
    ],
    [
      "secrets that may no longer be seen are not revoked",
      () => mock.method(EarlierSights.prototype, "existedWhileVisible", () => "no"),
    ],
    [
      "a path that was created after the watcher lost the permission is revoked",
      () =>
        mock.method(
          EarlierSights.prototype,
          "existedWhileVisible",
          function (this: EarlierSights, { path }: { path: string }) {
            return this.atOrAfter(path) === path ? "yes" : "no";
          },
        ),
    ],
    [
      "a secret that a new policy allows is not sent",
      () => mock.method(EarlierSights.prototype, "surelyKnew", () => true),
    ],
    ["everything is visible", () => mock.method(Sight.prototype, "allows", () => true)],
    ["a forgotten tombstone is not noticed", () => mock.getter(Memory.prototype, "forgotten", () => 0)],
    [
      "the timeline of a watcher that reconnects is not compared",
      () => mock.method(Memory.prototype, "timelineAt", () => "same"),
    ],
    [
      "a run of the server continues the timeline of the run before",
      () => {
        const { begin } = Timelines.prototype;
        mock.method(Timelines.prototype, "begin", function (this: Timelines, start: TimelineStart) {
          if (start.first === 0) begin.call(this, start);
        });
      },
    ],
    ["tombstones are not found", () => mock.method(Memory.prototype, "tombstoneAtOrAfter", () => undefined)],
    [
      "the policy of a watcher that reconnects is not compared",
      () => mock.getter(Sight.prototype, "fingerprint", () => "same"),
    ],
    ["what may be read is not counted", () => mock.getter(Sight.prototype, "readable", () => 0)],
    ["the watchers of a changed path are not found", () => mock.method(WatcherIndex.prototype, "forEach", () => {})],
  ];
  for (const [name, make] of faults) {
    it(`with a fault are found: ${name}`, () => {
      make();
      try {
        const { failed } = fc.check(property, { numRuns: 20_000, endOnFailure: true });
        assert.ok(failed, "the simulation finds the fault");
      } finally {
        mock.restoreAll();
      }
    });
  }
});
