import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { API, ServerKit, WEB } from "../support/server-kit.ts";

/** With this many calls, some lines are suppressed on the slowest machine. */
const MOST_CALLS = 10_000;

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
  const of = (id: string) => kit.log.filter(({ spiffe_id, reason }) => spiffe_id === id && reason === "ACCESS_DENIED");
  const deniedTo = (id: string) => of(id).filter(({ event }) => event === "call denied");
  let calls = 0;
  const makeNoise = async () => {
    const denied = await Promise.all(Array.from({ length: 50 }, () => noise.get({ path: "payments/x" })));
    assert.ok(denied.every(({ reason }) => reason === "ACCESS_DENIED"));
    calls += denied.length;
    await kit.settled();
  };
  for (let i = 0; i < 8; i++) {
    await makeNoise();
    assert.equal((await probe.get({ path: `payments/${i}` })).reason, "ACCESS_DENIED");
  }
  // A slow machine can make fewer calls in a second than there may be lines.
  while (deniedTo(API).length === calls && calls < MOST_CALLS) await makeNoise();
  for (const caller of [noise, probe]) caller.close();
  await kit.stop();
  assert.deepEqual(
    deniedTo(WEB).map(({ path }) => path),
    Array.from({ length: 8 }, (_, i) => `payments/${i}`),
  );
  const lines = deniedTo(API).length;
  const suppressed = of(API).reduce((sum, line) => sum + Number(line["suppressed"] ?? 0), 0);
  assert.ok(lines < calls);
  assert.equal(lines + suppressed, calls);
}
