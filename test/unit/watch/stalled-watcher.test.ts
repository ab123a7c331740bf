import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { it } from "node:test";
import { parsePathPrefix } from "../../../src/domain/secret-path.ts";
import { WatchScope } from "../../../src/watch/watch-scope.ts";
import { BEGINNING, WATCHING, WatchWorld } from "../../support/watch-world.ts";
import { WATCH_LIMITS } from "../../../src/watch/watch-limits.ts";

const PATHS = 100_000;
const WATCHERS = 5;
const MOST_BYTES = 20_000_000;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

// Every path changes again and again while the watchers do not read. What they hold must not grow with the changes.
it("a stalled watcher of 100,000 paths holds a bounded number of bytes", () => {
  const world = new WatchWorld(["**"], WATCH_LIMITS, false);
  const paths = Array.from({ length: PATHS }, (_, i) => `many/${String(i).padStart(6, "0")}`);
  const change = () => {
    for (let i = 0; i < PATHS; i += 1000)
      world.commit(paths.slice(i, i + 1000).map((path) => ({ path, kind: "put" as const })));
  };
  // Each secret has all the versions that are retained, so that the store itself no longer grows.
  for (let i = 0; i < 2; i++) change();
  const before = heapBytes();
  const stalled = Array.from({ length: WATCHERS }, () => {
    let isOpen = true;
    const request = {
      scope: new WatchScope([], [parsePathPrefix("")]),
      withValues: true,
      from: { ...BEGINNING, revision: world.memory.revision },
    };
    const caller = { id: WATCHING, connection: 1, validUntil: Number.POSITIVE_INFINITY };
    const watch = world.hub.begin(caller, request, () => ({
      isOver: false,
      fits: () => isOpen,
      hold: () => true,
      drop: () => {},
      send: () => {},
      fail: assert.fail,
    }));
    return { watch, stall: () => (isOpen = false) };
  });
  while (world.turns.end());
  for (const { stall } of stalled) stall();
  change();
  change();
  while (world.turns.end());
  const each = (heapBytes() - before) / WATCHERS;
  assert.equal(world.hub.count, WATCHERS);
  assert.ok(each <= MOST_BYTES, `${each} bytes for each watcher`);
  for (const { watch } of stalled) watch.end();
  assert.equal(world.hub.count, 0);
});
