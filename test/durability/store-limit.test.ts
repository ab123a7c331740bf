import assert from "node:assert/strict";
import { after, test } from "node:test";
import { contentOf, storedValue } from "../support/dump.ts";
import type { Caller, Outcome } from "../support/server-kit.ts";
import { Site } from "../support/server-process.ts";

const site = new Site();
after(() => site.remove());

const LARGE = "x".repeat(10_000);

/** Puts secrets until one is refused; how many were taken, and the refusal. */
async function fill(caller: Caller): Promise<{ taken: number; refusal: Outcome }> {
  for (let taken = 0; taken < 100; taken++) {
    const outcome = await caller.put({ path: `fill/${taken}`, ...contentOf(`${taken} ${LARGE}`) });
    if (outcome.code !== "OK") return { taken, refusal: outcome };
  }
  throw new Error("the store takes everything");
}

// Beyond --max-store-bytes a Put is refused and not applied, while Get, Delete and a smaller Put go on. A store that is
// above its limit when it starts is served all the same, with a warning; a higher limit makes room again.
test("a store that has reached its limit takes no more, and serves what it has", async () => {
  const flags = ["--max-store-bytes", "256KiB"];
  const first = await site.start({ flags });
  const caller = site.caller(first);
  const { taken, refusal } = await fill(caller);
  assert.ok(taken > 10 && taken < 26, `${taken} secrets of 10 kB were taken`);
  assert.deepEqual(
    [refusal.code, refusal.reason, refusal.metadata["limit"]],
    ["RESOURCE_EXHAUSTED", "STORE_FULL", "262144"],
  );
  assert.equal((await caller.get({ path: `fill/${taken}` })).reason, "SECRET_NOT_FOUND");
  assert.equal(storedValue((await caller.get({ path: "fill/0" })).response), `0 ${LARGE}`);
  assert.equal((await caller.delete({ path: "fill/1" })).code, "OK");
  assert.equal((await caller.put({ path: "small", ...contentOf("small") })).code, "OK");
  assert.equal(first.lines("store above its limit").length, 0);
  caller.close();
  await first.stop();

  const above = await site.start({ flags: ["--max-store-bytes", "64KiB"] });
  const reader = site.caller(above);
  assert.deepEqual(
    above.lines("store above its limit").map(({ level, limit }) => [level, limit]),
    [["warn", 65_536]],
  );
  assert.equal(storedValue((await reader.get({ path: "fill/0" })).response), `0 ${LARGE}`);
  assert.equal((await reader.put({ path: "more", ...contentOf("more") })).reason, "STORE_FULL");
  assert.equal((await reader.delete({ path: "fill/2" })).code, "OK");
  reader.close();
  await above.stop();

  const roomy = await site.start({ flags: ["--max-store-bytes", "1MiB"] });
  const writer = site.caller(roomy);
  assert.equal((await writer.put({ path: "more", ...contentOf("more") })).code, "OK");
  assert.equal((await writer.get({ path: "fill/2" })).reason, "VERSION_DELETED");
  writer.close();
});
