import assert from "node:assert/strict";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { contentOf, storedValue } from "../support/dump.ts";
import { Site } from "../support/server-process.ts";

const site = new Site();
after(() => site.remove());

/** Whether the kernel tells who holds a lock; inside some containers it does not. */
function isLockHolderKnown(pid: number): boolean {
  try {
    return readFileSync("/proc/locks", "latin1")
      .split("\n")
      .some((line) => line.split(/\s+/)[4] === String(pid));
  } catch {
    return false;
  }
}

// A second server on the same data, by whatever name, is refused at once with exit code 2 and told whom to stop; the
// first one, and its hold on the data, are not touched by that. When the first is gone, the second may start.
test("two servers never share a data folder", async () => {
  const first = await site.start();
  const caller = site.caller(first);
  await caller.put({ path: "a", ...contentOf("one") });
  const alias = join(site.folder, "alias");
  symlinkSync(site.data, alias);
  for (const data of [site.data, alias, site.data]) {
    const { code, stderr } = await site.refusal({ data });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /coffer\.db open: one server at a time; stop it or give this one another --data/);
    if (isLockHolderKnown(first.pid)) assert.match(stderr, new RegExp(`process ${first.pid} has `));
    assert.equal((await caller.put({ path: "a", ...contentOf("two") })).code, "OK");
  }
  assert.equal(storedValue((await caller.get({ path: "a", version: 1 })).response), "one");
  caller.close();
  assert.deepEqual(await first.stop(), { code: 0, signal: null });
  const second = await site.start({ data: alias });
  const again = site.caller(second);
  assert.equal((await again.get({ path: "a" })).response.version, 4);
  again.close();
});
