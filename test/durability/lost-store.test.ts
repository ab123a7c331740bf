import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { contentOf, storedValue } from "../support/dump.ts";
import { Site } from "../support/server-process.ts";

const site = new Site();
after(() => site.remove());

// Changes to a moved database would be missing after the next start. The server ends by itself, without a checkpoint.
// After the file is moved back, every acknowledged change is present.
test("a server whose database is moved ends", async () => {
  const server = await site.start();
  const caller = site.caller(server);
  assert.equal((await caller.put({ path: "a", ...contentOf("kept") })).code, "OK");
  const database = join(site.data, "store", "coffer.db");
  renameSync(database, `${database}.moved`);
  assert.deepEqual(await server.ended, { code: null, signal: "SIGKILL" });
  assert.match(String(server.lines("journal failed")[0]!["error"]), /was moved, replaced or removed/);
  caller.close();
  renameSync(`${database}.moved`, database);

  const again = await site.start();
  const reader = site.caller(again);
  assert.equal(storedValue((await reader.get({ path: "a" })).response), "kept");
  reader.close();
  assert.deepEqual(await again.stop(), { code: 0, signal: null });
});
