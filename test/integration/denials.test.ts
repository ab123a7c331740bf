import assert from "node:assert/strict";
import { it } from "node:test";
import { API, ServerKit, WEB } from "../support/server-kit.ts";

// The log lines of a workload that is denied continuously must not hide those of another workload that probes paths.
it("logs each denial of a caller while another is denied continuously, and counts the other's suppressed lines", async () => {
  // Each of several fronts has a part of the limit, and the probe has one connection.
  const kit = await ServerKit.start({ threads: 1 });
  const [noise, probe] = [kit.caller(API), kit.caller(WEB)];
  for (let i = 0; i < 8; i++) {
    const denied = await Promise.all(Array.from({ length: 50 }, () => noise.get({ path: "payments/x" })));
    assert.ok(denied.every(({ reason }) => reason === "ACCESS_DENIED"));
    assert.equal((await probe.get({ path: `payments/${i}` })).reason, "ACCESS_DENIED");
  }
  for (const caller of [noise, probe]) caller.close();
  await kit.stop();
  const of = (id: string) => kit.log.filter(({ spiffe_id, reason }) => spiffe_id === id && reason === "ACCESS_DENIED");
  const paths = of(WEB).map(({ event, path }) => [event, path]);
  assert.deepEqual(
    paths.filter(([event]) => event === "call denied"),
    Array.from({ length: 8 }, (_, i) => ["call denied", `payments/${i}`]),
  );
  const lines = of(API).filter(({ event }) => event === "call denied");
  const suppressed = of(API).reduce((sum, line) => sum + Number(line["suppressed"] ?? 0), 0);
  assert.ok(lines.length < 400);
  assert.equal(lines.length + suppressed, 400);
});
