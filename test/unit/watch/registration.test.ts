import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { it } from "node:test";
import { parsePathPrefix, parseSecretPath } from "../../../src/domain/secret-path.ts";
import type { OpenedWatch, WatchRegistry } from "../../../src/store/watch-registry.ts";
import { NO_WATCHERS } from "../../../src/store/watch-registry.ts";
import { VersionsInUse } from "../../../src/watch/versions-in-use.ts";
import { WATCH_LIMITS } from "../../../src/watch/watch-limits.ts";
import { WatchScope } from "../../../src/watch/watch-scope.ts";
import type { Watch } from "../../../src/watch/watch-hub.ts";
import { BEGINNING, WATCHING, WatchWorld } from "../../support/watch-world.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Begins a watch of all paths, whose events arrive in `events`. */
function begin(world: WatchWorld, events: string[]): Watch {
  const scope = new WatchScope([], [parsePathPrefix("")]);
  const request = { scope, withValues: false, from: BEGINNING };
  const caller = { id: WATCHING, connection: 1, validUntil: Number.POSITIVE_INFINITY };
  return world.hub.begin(caller, request, () => ({
    isOver: false,
    fits: () => true,
    hold: () => true,
    drop: () => {},
    send: ({ kind }) => void events.push(kind),
    fail: assert.fail,
  }));
}

/** Ends turns until nothing is left to do. */
function settle(world: WatchWorld): void {
  while (world.turns.end());
}

/** A registry that answers when the test says so. */
class SlowRegistry implements WatchRegistry {
  readonly log: string[] = [];
  readonly unanswered: (() => void)[] = [];
  readonly count = NO_WATCHERS.count;

  opened({ paths, prefixes }: OpenedWatch, registered: () => void): void {
    this.log.push(`opened ${[...paths, ...prefixes].join()}`);
    this.unanswered.push(registered);
  }

  closed(): void {
    this.log.push("closed");
  }

  report(): void {}
}

// A workload that has an event can use the version in it. From then on, it has to be counted on every thread.
it("a watch gets its first event when it is registered, also if secrets change or a heartbeat is due before", () => {
  const registry = new SlowRegistry();
  const world = new WatchWorld(["**"], WATCH_LIMITS, true, registry);
  const events: string[] = [];
  const watch = begin(world, events);
  settle(world);
  world.commit([{ path: "a", kind: "put" }]);
  world.turns.beat();
  settle(world);
  assert.deepEqual([registry.log, events], [["opened "], []]);
  registry.unanswered.pop()?.();
  settle(world);
  assert.deepEqual(events, ["synced", "secret"]);
  watch.end();
  watch.end();
  assert.deepEqual(registry.log, ["opened ", "closed"], "closed once");
});

it("a watch that ended before it was registered gets nothing, and is removed from the registry", () => {
  const registry = new SlowRegistry();
  const world = new WatchWorld(["**"], WATCH_LIMITS, true, registry);
  const events: string[] = [];
  begin(world, events).end();
  registry.unanswered.pop()?.();
  settle(world);
  assert.deepEqual([registry.log, events], [["opened ", "closed"], []]);
});

// A watch that has ended leaves nothing in the registry, in the hub or in memory.
it("10,000 watches with reports leave nothing in memory", () => {
  const path = parseSecretPath("a");
  const registry: VersionsInUse = new VersionsInUse({
    memory: { get: (stored) => world.memory.get(stored), revision: 1 },
    authorizer: () => world.authorizer,
  });
  let last = "";
  const noted: WatchRegistry = {
    opened: (watch, registered) => {
      last = watch.watchId;
      registry.opened(watch, registered);
    },
    closed: (watchId) => registry.closed(watchId),
    report: (report) => registry.report(report),
    count: (secret, newest) => registry.count(secret, newest),
  };
  const world: WatchWorld = new WatchWorld(["**"], WATCH_LIMITS, true, noted);
  world.commit([{ path, kind: "put" }]);
  const caller = WATCHING.toString();
  const visit = (count: number) => {
    for (let i = 0; i < count; i++) {
      const watch = begin(world, []);
      settle(world);
      registry.report({ watchId: last, caller, path, version: 1, state: "in use", instance: `pod-${i}` });
      if (i === 0) assert.equal(registry.count(path, { number: 1, revision: 1 }).converged, 1);
      watch.end();
    }
    settle(world);
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const before = visit(1000);
  const after = visit(10_000);
  assert.deepEqual([registry.size, world.hub.count], [0, 0]);
  assert.ok(after - before < 1_000_000, `${after - before} bytes more`);
});
