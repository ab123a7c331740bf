import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Operation, Target } from "../../bench/job.ts";
import { VALUE_BYTES, VALUE_KEY, secretPath } from "../../bench/request.ts";
import { PushedTimers } from "../support/pushed-timers.ts";
import { ADMIN, ServerKit } from "../support/server-kit.ts";
import { type Lane, SingleAttemptLoad } from "../support/single-attempt-load.ts";

const GOAWAYS = 60;

// By this much time moves on with each answered call, in milliseconds. A connection's ten minutes are then some 3,000
// calls, and its 30 seconds of grace 150, which is six times as many as are ever in flight. The same of an SVID of two
// minutes: 2,400 calls, of which the last fifth is the grace.
const AGE_PACE_MS = 200;
const SVID_PACE_MS = 50;

let kit: ServerKit;
let timers: PushedTimers;
let admin: Pick<Target, "cert" | "key">;

before(async () => {
  timers = new PushedTimers();
  kit = await ServerKit.start({}, timers);
  admin = kit.writeCredential(kit.issue({ id: ADMIN }), "admin");
  const caller = kit.caller(ADMIN);
  const put = await caller.put({ path: secretPath(0), data: { [VALUE_KEY]: "v".repeat(VALUE_BYTES) } });
  assert.equal(put.code, "OK");
  caller.close();
});

after(() => kit.stop());

function target(identity: Pick<Target, "cert" | "key"> = admin): Target {
  const port = kit.address.kind === "tcp" ? kit.address.port : 0;
  return { protocol: "coffer", port, pid: process.pid, bundle: join(kit.folder, "bundle.pem"), ...identity };
}

/** Gets and Puts, on four connections each. A Put is answered turns later, so some are always under way. */
function lanes(to: () => Target): Lane[] {
  const operations: Operation[] = ["get", "put"];
  return Array.from({ length: 8 }, (_, i) => ({ operation: operations[i % 2]!, inFlight: 3, target: to }));
}

/** Runs the load until so many connections have ended by a GOAWAY. */
async function runUntilGoAways(count: number, paceMs: number, to: () => Target): Promise<SingleAttemptLoad> {
  const load = new SingleAttemptLoad(() => {
    // A handshake takes its own time, which the SVID that it shows must not spend.
    if (!load.isConnecting) timers.push(paceMs);
    if (load.goAways >= count) load.stop();
  });
  await Promise.all(lanes(to).map((lane) => load.run(lane)));
  return load;
}

// RFC 9113 6.8: the first GOAWAY names no last stream, so that nothing is refused that was under way to the server when
// it was sent; the final one comes when the client must have read the first. A client that repeats nothing, which is
// what a Put without expected_version needs, then loses nothing.
describe("a client that makes no call twice loses none", () => {
  it("when connections reach their age", async () => {
    const load = await runUntilGoAways(GOAWAYS, AGE_PACE_MS, () => target());
    assert.ok(load.goAways >= GOAWAYS);
    assert.deepEqual(load.failures, {}, `of ${load.calls} calls`);
  });

  // The SVID's last fifth is the grace: of two minutes, 24 seconds.
  it("when connections reach the end of their SVID", async () => {
    let issued = 0;
    const load = await runUntilGoAways(GOAWAYS, SVID_PACE_MS, () => {
      issued += 1;
      return target(
        kit.writeCredential(kit.issue({ id: ADMIN, notAfter: timers.clock() + 120_000 }), `short-${issued}`),
      );
    });
    assert.ok(issued > GOAWAYS);
    assert.deepEqual(load.failures, {}, `of ${load.calls} calls`);
  });

  it("when the server stops", async () => {
    for (let round = 0; round < 10; round++) {
      const load = new SingleAttemptLoad(() => {
        if (load.calls === 200) void kit.server.stop();
      });
      await Promise.all(lanes(() => target()).map((lane) => load.run(lane, () => false)));
      assert.deepEqual(load.failures, {}, `of ${load.calls} calls, in round ${round}`);
      await kit.restart(timers);
    }
  });
});
