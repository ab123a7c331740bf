import assert from "node:assert/strict";
import { it, mock } from "node:test";
import { Authorizer } from "../../../src/authorization/authorizer.ts";
import { WatchClient } from "../../support/watch-client.ts";
import { WatchWorld } from "../../support/watch-world.ts";

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
