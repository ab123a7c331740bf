import assert from "node:assert/strict";
import { after, test } from "node:test";
import { contentOf, storedValue } from "../support/dump.ts";
import type { Caller, Outcome } from "../support/server-kit.ts";
import { Site } from "../support/server-process.ts";

const site = new Site();
after(() => site.remove());

const LARGE = "x".repeat(10_000);

/** Puts secrets until one is refused. Returns the number of accepted ones, and the refusal. */
async function fill(caller: Caller): Promise<{ accepted: number; refusal: Outcome }> {
  for (let accepted = 0; accepted < 100; accepted++) {
    const outcome = await caller.put({ path: `fill/${accepted}`, ...contentOf(`${accepted} ${LARGE}`) });
    if (outcome.code !== "OK") return { accepted, refusal: outcome };
  }
  throw new Error("the store accepted every Put");
}

// A Put beyond --max-store-bytes is refused and not applied. Get, Delete and smaller Puts still work. A store that is
// above its limit at the start is served, with a warning. With a higher limit, Puts are accepted again.
test("a store at its limit refuses Puts that enlarge it, and serves its secrets", async () => {
  const flags = ["--max-store-bytes", "256KiB"];
  const first = await site.start({ flags });
  const caller = site.caller(first);
  const { accepted, refusal } = await fill(caller);
  assert.ok(accepted > 10 && accepted < 26, `${accepted} secrets of 10 kB were accepted`);
  assert.deepEqual(
    [refusal.code, refusal.reason, refusal.metadata["limit"]],
    ["RESOURCE_EXHAUSTED", "STORE_FULL", "262144"],
  );
  assert.equal((await caller.get({ path: `fill/${accepted}` })).reason, "SECRET_NOT_FOUND");
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

  const larger = await site.start({ flags: ["--max-store-bytes", "1MiB"] });
  const writer = site.caller(larger);
  assert.equal((await writer.put({ path: "more", ...contentOf("more") })).code, "OK");
  assert.equal((await writer.get({ path: "fill/2" })).reason, "VERSION_DELETED");
  writer.close();
});
