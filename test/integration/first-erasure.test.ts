import assert from "node:assert/strict";
import { after, it, mock } from "node:test";
import { Fronts } from "../../src/front/fronts.ts";
import { SqliteJournal } from "../../src/persistence/sqlite-journal.ts";
import { ADMIN, ServerKit } from "../support/server-kit.ts";

after(() => mock.restoreAll());

// An earlier process can have left content in any page of the database, for example because it was killed between a Destroy and
// its erasure. The first erasure after a start reads all pages, which takes a second for a large store. A call that arrived
// before it would wait for it.
it("a start erases what an earlier process left, and only then accepts connections", async () => {
  const kit = await ServerKit.start();
  const caller = kit.caller(ADMIN);
  assert.equal((await caller.put({ path: "a", data: { value: "kept" } })).code, "OK");
  caller.close();
  const events: string[] = [];
  const { erase } = SqliteJournal.prototype;
  mock.method(SqliteJournal.prototype, "erase", function (this: SqliteJournal) {
    const isErased = erase.call(this);
    events.push(isErased ? "erased" : "not erased");
    return isErased;
  });
  const { open } = Fronts.prototype;
  mock.method(Fronts.prototype, "open", function (this: Fronts) {
    events.push("opened");
    return open.call(this);
  });
  await kit.restart();
  assert.deepEqual(events, ["erased", "opened"]);
  const reader = kit.caller(ADMIN);
  assert.equal((await reader.get({ path: "a" })).response.data.value, "kept");
  reader.close();
  await kit.stop();
});
