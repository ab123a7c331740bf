import assert from "node:assert/strict";
import { it, mock } from "node:test";
import { Authorizer } from "../../../src/authorization/authorizer.ts";
import { parsePathPrefix } from "../../../src/domain/secret-path.ts";
import { PathScan } from "../../../src/watch/path-scan.ts";
import { WatchScope } from "../../../src/watch/watch-scope.ts";
import { WatchClient } from "../../support/watch-client.ts";
import { BEGINNING, WATCHING, WatchWorld } from "../../support/watch-world.ts";

// To find the rules of eight thousand callers in a policy of two thousand rules takes seconds. No call is answered in the
// turn of the event loop in which the policy changes.
it("a policy change finds the rules of its watchers in later turns, before they are sent anything", () => {
  const world = new WatchWorld(["**"]);
  world.commit([{ path: "a", kind: "put" }]);
  const clients = Array.from({ length: 100 }, () => new WatchClient(world, { paths: ["a"], prefixes: [] }));
  const read = () => {
    for (const client of clients) client.read(10, 1_000_000);
    while (world.turns.end());
  };
  for (const client of clients) client.connect(false);
  read();
  const scope = mock.method(Authorizer.prototype, "scope");
  world.setPolicy([]);
  world.commit([{ path: "a", kind: "put" }]);
  assert.equal(scope.mock.callCount(), 0);
  world.turns.end();
  assert.ok(scope.mock.callCount() < clients.length, `${scope.mock.callCount()} in the next turn`);
  // WatchClient checks that no event is one of a secret that it may no longer watch.
  read();
  assert.ok(scope.mock.callCount() >= clients.length);
  for (const client of clients) assert.deepEqual([...client.known], []);
  mock.restoreAll();
});

// The revoked secrets can be found in one scan of the store, since their order does not matter. One scan for each selection
// of them takes minutes of CPU time for a hundred thousand secrets.
it("a withdrawal of many secrets scans the store once or twice", () => {
  const count = 1000;
  const world = new WatchWorld(["**"]);
  for (let i = 0; i < count; i++) world.commit([{ path: `many/${i}`, kind: "put" }]);
  const client = new WatchClient(world, { paths: [], prefixes: [""] });
  const read = () => {
    client.read(10 * count, 1_000_000);
    while (world.turns.end());
  };
  client.connect(false);
  read();
  assert.equal(client.known.size, count);
  const advance = mock.method(PathScan.prototype, "advance");
  world.setPolicy([]);
  read();
  assert.deepEqual([...client.known], []);
  assert.ok(advance.mock.callCount() <= 2 * count + 10, `${advance.mock.callCount()} steps`);
  mock.restoreAll();
});

// In a large store, finding the effect can take longer than the 15 seconds after which clients regard a connection as
// broken. All of them would then reconnect and need a snapshot, which takes longer still.
it("heartbeats arrive while the effect of a policy change is being found", () => {
  const world = new WatchWorld(["**"]);
  for (let i = 0; i < 1000; i++) world.commit([{ path: `many/${i}`, kind: "put" }]);
  const request = { scope: new WatchScope([], [parsePathPrefix("")]), withValues: false, from: BEGINNING };
  const caller = { id: WATCHING, connection: 1, validUntil: Number.POSITIVE_INFINITY };
  const events: string[] = [];
  world.hub.begin(caller, request, () => ({
    isOver: false,
    fits: () => true,
    hold: () => true,
    drop: () => {},
    send: (event) => events.push("policy" in event ? `${event.kind} ${event.policy}` : event.kind),
    fail: assert.fail,
  }));
  while (world.turns.end());
  events.length = 0;
  world.setPolicy(["**", "other/path"]);
  for (let i = 0; i < 3; i++) world.turns.end();
  assert.deepEqual(events, ["heartbeat -"], "the change has begun");
  world.turns.beat();
  while (world.turns.end());
  assert.deepEqual(
    events.map((event) => event.replace(/ .{2,}/, "")),
    ["heartbeat -", "heartbeat -", "synced"],
  );
});
