import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ServerProcess } from "../support/server-process.ts";
import { ENTRIES, Machine, type WorkloadProcess } from "./machine.ts";
import { reasonToSkip } from "../support/programs.ts";
import type { Spire } from "./spire.ts";
import { until } from "../support/until.ts";

const { coffer, web } = ENTRIES;

/** The lifetime of the server's SVID, in seconds. */
const SHORT = 15;

// The test kills the agent, and restarts it only after the server's SVID has expired.
describe("without an agent", { skip: reasonToSkip() }, () => {
  let machine: Machine;
  let spire: Spire;
  let server: ServerProcess;
  let workload: WorkloadProcess;
  before(async () => {
    machine = new Machine();
    spire = await machine.spire();
    await spire.addEntry({ ...coffer, ttl: SHORT });
    await spire.addEntry(web);
    server = await machine.startCoffer(spire);
    await server.serving();
    // This workload makes new connections continuously, and keeps its SVID, which is valid for an hour.
    workload = machine.workload(spire, web, "svid-keeper", 50);
    await workload.logged("accepted");
  });
  after(() => machine.end());

  it("Coffer keeps serving with its last identity, and logs that", async () => {
    await spire.killAgent();
    const { detail } = await server.logged("identity update failed");
    assert.match(String(detail), /^the Workload API at unix:.* (can't be reached|ended the stream with UNAVAILABLE)/);
    assert.equal((await machine.readiness()).status, 200);
    await served(Date.now());
    assert.deepEqual([workload.reports("refused"), workload.reports("closed")], [[], []]);
  });

  it("Coffer keeps running, but is not ready, when its SVID has expired", async () => {
    const { body } = await until("it is not ready", async () => {
      const readiness = await machine.readiness();
      return readiness.status === 503 && readiness;
    });
    assert.match(body, /the X.509-SVID of spiffe:\/\/example\.org\/coffer expired/);
    assert.equal(server.lines("no identity").filter(({ detail }) => /expired/.test(String(detail))).length, 1);
  });

  it("Coffer serves again when the agent has restarted", async () => {
    const before = server.lines("identity updated").length;
    await spire.restartAgent();
    await until("it has a new identity", () => server.lines("identity updated").length > before);
    const events = server.log.map(({ event }) => event).filter((event) => event.includes("identity"));
    assert.equal(events.at(-1), "identity updated", "a new identity ends all problems with it");
    assert.equal((await machine.readiness()).status, 200);
    await served(Date.now());
  });

  async function served(since: number): Promise<void> {
    await until("a workload is accepted", () =>
      workload.reports("accepted").some(({ startedAt }) => Number(startedAt) > since),
    );
  }
});
