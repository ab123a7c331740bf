import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import Database from "better-sqlite3";
import { contentOf, storedValue } from "../support/dump.ts";
import type { Caller } from "../support/server-kit.ts";
import { Site } from "../support/server-process.ts";

const site = new Site();
after(() => site.remove());

const PATHS = ["left", "right", "bystander"];

async function codes(caller: Caller): Promise<string[]> {
  const outcomes = await Promise.all(PATHS.map((path) => caller.get({ path })));
  return outcomes.map(({ code, reason }) => (reason === undefined ? code : `${code} ${reason}`));
}

/** Exchanges the contents of two secrets, as an attacker with write access to the file and without the key can. */
function swap(): void {
  const db = new Database(join(site.data, "store", "coffer.db"));
  const sealed = db.prepare<[string], Buffer>("SELECT sealed FROM versions WHERE path = ?").pluck();
  const [left, right] = [sealed.get("left"), sealed.get("right")];
  const update = db.prepare("UPDATE versions SET sealed = ? WHERE path = ?");
  update.run(right, "left");
  update.run(left, "right");
  db.close();
}

// Exchanged content is never served. A Get of it gets DATA_LOSS, the log names the version, all other secrets are
// served, and a new version of the secret is readable.
test("exchanged contents on the disk are refused, and all other secrets are served", async () => {
  const first = await site.start();
  const before = site.caller(first);
  for (const path of PATHS) await before.put({ path, ...contentOf(`of ${path}`) });
  assert.deepEqual(await codes(before), ["OK", "OK", "OK"]);
  before.close();
  await first.stop();
  swap();

  const second = await site.start();
  const caller = site.caller(second);
  const refused = "DATA_LOSS CONTENT_UNREADABLE";
  assert.deepEqual(await codes(caller), [refused, refused, "OK"]);
  assert.equal(storedValue((await caller.get({ path: "bystander" })).response), "of bystander");
  for (const path of ["left", "right"]) {
    const { level } = await second.logged("call failed", ({ detail }) =>
      String(detail).includes(`version 1 of ${path}`),
    );
    assert.equal(level, "error");
  }
  assert.equal((await caller.put({ path: "left", ...contentOf("new") })).response.version, 2);
  assert.deepEqual(await codes(caller), ["OK", refused, "OK"]);
  caller.close();
});
