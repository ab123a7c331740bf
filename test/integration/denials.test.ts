import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { API, ServerKit, WEB } from "../support/server-kit.ts";

// The log lines of a workload that is denied continuously must not hide those of another workload that probes paths.
// With several fronts, its only connection is on one of them. If each front had only a part of the limit, half of its
// lines would be suppressed.
describe("denials of a caller while another is denied continuously", () => {
  for (const threads of [1, 3]) {
    it(`are all logged with ${threads} thread(s), and the other's suppressed lines are counted`, () =>
      logsAll(threads));
  }
});

async function logsAll(threads: number): Promise<void> {
  const kit = await ServerKit.start({ threads });
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
}
