import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ServerProcess } from "../support/server-process.ts";
import { ENTRIES, Machine, type WorkloadProcess } from "./machine.ts";
import { reasonToSkip } from "../support/programs.ts";
import type { Spire } from "./spire.ts";
import { until } from "../support/until.ts";

const { coffer, web } = ENTRIES;

/** Seconds. */
const SHORT = 15;

// The agent is killed, and comes back when the server's SVID has expired: what can happen to a node at its worst.
describe("without an agent", { skip: reasonToSkip() }, () => {
  let machine: Machine;
  let spire: Spire;
  let server: ServerProcess;
  let workload: WorkloadProcess;
  before(async () => {
    machine = new Machine();
    spire = await machine.spire();
    await spire.enter({ ...coffer, ttl: SHORT });
    await spire.enter(web);
    server = await machine.startCoffer(spire);
    await server.serving();
    // It makes new connections all the time, and keeps its SVID, which is good for an hour.
    workload = machine.workload(spire, web, "holdout", 50);
    await workload.logged("in");
  });
  after(() => machine.end());

  it("Coffer serves with what it has, and says so", async () => {
    await spire.killAgent();
    const { detail } = await server.logged("identity kept");
    assert.match(String(detail), /^the Workload API at unix:.* (can't be reached|ended the stream with UNAVAILABLE)/);
    assert.equal((await machine.readiness()).status, 200);
    await served(Date.now());
    assert.deepEqual([workload.said("out"), workload.said("closed")], [[], []]);
  });

  it("it is not ready any more when its SVID has expired, and stays up", async () => {
    const { body } = await until("it is not ready", async () => {
      const readiness = await machine.readiness();
      return readiness.status === 503 && readiness;
    });
    assert.match(body, /the X.509-SVID of spiffe:\/\/example\.org\/coffer expired/);
    assert.equal(server.lines("no identity").filter(({ detail }) => /expired/.test(String(detail))).length, 1);
  });

  it("it serves again when the agent is back", async () => {
    const before = server.lines("identity adopted").length;
    await spire.restartAgent();
    await until("it has a new identity", () => server.lines("identity adopted").length > before);
    const told = server.log.map(({ event }) => event).filter((event) => event.includes("identity"));
    assert.equal(told.at(-1), "identity adopted", "a new identity is the end of all problems with it");
    assert.equal((await machine.readiness()).status, 200);
    await served(Date.now());
  });

  async function served(since: number): Promise<void> {
    await until("a workload gets in", () => workload.said("in").some(({ begun }) => Number(begun) > since));
  }
});
