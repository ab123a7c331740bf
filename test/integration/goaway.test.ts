import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Operation, Target } from "../../bench/job.ts";
import { VALUE_BYTES, VALUE_KEY, secretPath } from "../../bench/request.ts";
import { PushedTimers } from "../support/pushed-timers.ts";
import { ADMIN, ServerKit } from "../support/server-kit.ts";
import { type Lane, SingleAttemptLoad } from "../support/single-attempt-load.ts";

const GOAWAYS = 60;

// Each answered call advances time by one of these, in milliseconds. At AGE_PACE_MS, the ten minutes of a connection
// are about 3,000 calls, and its 30 seconds of grace are 150 calls, which is six times the maximum in flight. At
// SVID_PACE_MS, the two minutes of an SVID are 2,400 calls, and the last fifth of them is the grace.
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

/**
 * Gets and Puts, on four connections each. A Put is answered some turns of the event loop later, so some Puts are
 * always in progress.
 */
function lanes(to: () => Target): Lane[] {
  const operations: Operation[] = ["get", "put"];
  return Array.from({ length: 8 }, (_, i) => ({ operation: operations[i % 2]!, inFlight: 3, target: to }));
}

/** Runs the load until this number of connections has ended with a GOAWAY. */
async function runUntilGoAways(count: number, paceMs: number, to: () => Target): Promise<SingleAttemptLoad> {
  const load = new SingleAttemptLoad(() => {
    // A handshake takes real time, which must not count against the lifetime of its SVID.
    if (!load.isConnecting) timers.push(paceMs);
    if (load.goAways >= count) load.stop();
  });
  await Promise.all(lanes(to).map((lane) => load.run(lane)));
  return load;
}

// RFC 9113 6.8: the first GOAWAY names no last stream, so the server refuses no call that was already on its way. The
// final one follows when the client must have read the first. A client that never retries, as a Put without
// expected_version requires, then loses no call.
describe("a client that never retries loses no call", () => {
  it("when connections reach their maximum age", async () => {
    const load = await runUntilGoAways(GOAWAYS, AGE_PACE_MS, () => target());
    assert.ok(load.goAways >= GOAWAYS);
    assert.deepEqual(load.failures, {}, `of ${load.calls} calls`);
  });

  // The last fifth of the SVID's two minutes is the grace: 24 seconds.
  it("when the SVIDs of connections are about to expire", async () => {
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
        if (load.calls >= 200) void kit.server.stop();
      });
      await Promise.all(lanes(() => target()).map((lane) => load.run(lane, () => false)));
      assert.deepEqual(load.failures, {}, `of ${load.calls} calls, in round ${round}`);
      await kit.restart(timers);
    }
  });
});
