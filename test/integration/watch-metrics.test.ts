import assert from "node:assert/strict";
import { it } from "node:test";
import { ADMIN, ServerKit } from "../support/server-kit.ts";
import { until } from "../support/until.ts";
import { Watching } from "../support/watching.ts";

/** The sum of the series of a metric, and their number. */
async function metric(kit: ServerKit, name: string): Promise<{ readonly sum: number; readonly series: number }> {
  const body = await (await fetch(`${kit.opsUrl}/metrics`)).text();
  const values = body
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => Number(line.slice(line.lastIndexOf(" "))));
  return { sum: values.reduce((sum, value) => sum + value, 0), series: values.length };
}

for (const threads of [1, 3]) {
  // An operator compares the number of open watches with the number of workloads.
  it(`/metrics has the open watches of each of ${threads} threads, and the events that were sent`, async () => {
    const kit = await ServerKit.start({ threads });
    const admin = kit.caller(ADMIN);
    const callers = Array.from({ length: 5 }, () => kit.caller(ADMIN));
    const watches = callers.map((caller) => new Watching(caller, { paths: ["a"] }));
    await Promise.all(watches.map((watching) => watching.synced()));
    assert.deepEqual(await metric(kit, "coffer_watches"), { sum: 5, series: threads });
    const { sum: before } = await metric(kit, "coffer_watch_events_total");
    await admin.put({ path: "a", data: { k: "v" } });
    await Promise.all(watches.map((watching) => watching.first((text) => text === "a v1 live")));
    assert.equal((await metric(kit, "coffer_watch_events_total")).sum - before, 5);
    for (const watching of watches) watching.cancel();
    await until("the watches have ended", async () => (await metric(kit, "coffer_watches")).sum === 0);
    for (const caller of [admin, ...callers]) caller.close();
    await kit.stop();
  });
}
