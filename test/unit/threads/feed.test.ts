import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, it } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import { processTimers } from "../../../src/domain/timers.ts";
import type { Changes } from "../../../src/store/changes.ts";
import type { ChangeCommand } from "../../../src/store/command.ts";
import { Feed } from "../../../src/threads/feed.ts";
import { portOf } from "../../../src/threads/port.ts";
import { PublicationProgress } from "../../../src/threads/publication-progress.ts";
import { Replica } from "../../../src/threads/replica.ts";

const ports: { close(): void }[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

function purge(path: string): ChangeCommand {
  const operation = { kind: "purge" as const, path: parseSecretPath(path), expectedVersion: undefined };
  return { author: "spiffe://example.org/test", operations: [operation], guards: [], requestId: undefined };
}

/** A feed with one front, whose changes are only recorded. */
function begin() {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const progress = PublicationProgress.of(1);
  const feed = new Feed([portOf(port1)], progress, processTimers);
  const requested: string[] = [];
  const changes: Changes = {
    change: async ({ operations }) => {
      requested.push(...operations.map(({ path }) => path));
      return { revision: 1, time: 1, results: [] };
    },
  };
  feed.serve(changes);
  const replica = new Replica({ port: portOf(port2), progress, front: 0, timers: processTimers });
  return { feed, replica, requested };
}

describe("a feed that is closed", () => {
  // At a shutdown, the journal is closed after the feed. A change that a caller has sent before must not be lost on the way.
  it("takes the changes that its fronts have sent, also those that no event has announced yet", async () => {
    const { feed, replica, requested } = begin();
    void replica.changes.change(purge("a"));
    // The front posts its changes at the end of its turn, which is this one. The event of their arrival comes later.
    await setImmediate();
    assert.deepEqual(requested, []);
    feed.close();
    assert.deepEqual(requested, ["a"]);
  });

  it("takes no later changes, and can be closed again", async () => {
    const { feed, replica, requested } = begin();
    feed.close();
    void replica.changes.change(purge("a"));
    await setImmediate();
    feed.close();
    await setImmediate();
    assert.deepEqual(requested, []);
  });
});
