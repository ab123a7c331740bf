import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { connect } from "node:tls";
import { nextEvent } from "../support/next-event.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { assertDisconnected } from "./assert-disconnected.ts";
import { ENTRIES, Machine, type WorkloadProcess } from "./machine.ts";
import { reasonToSkip } from "../support/programs.ts";
import type { Spire } from "./spire.ts";
import { until } from "../support/until.ts";
import type { IdentityLine } from "./workload.ts";

const { coffer, admin, api, web } = ENTRIES;

/**
 * The lifetime of the SVIDs that rotate, in seconds. SPIRE renews an SVID after half of it, and the agent checks that
 * at each synchronization.
 */
const SHORT = 10;

describe("under load on a real SPIRE", { skip: reasonToSkip() }, () => {
  let machine: Machine;
  let spire: Spire;
  let server: ServerProcess;
  let rotating: readonly WorkloadProcess[];
  let keeper: WorkloadProcess;
  let old: { readonly id: string; readonly issuer: string };
  before(async () => {
    machine = new Machine();
    spire = await machine.spire({ syncInterval: "1s" });
    for (const entry of [coffer, admin, api]) await spire.addEntry({ ...entry, ttl: SHORT });
    await spire.addEntry(web);
    server = await machine.startCoffer(spire);
    await server.serving();
    rotating = [admin, api].map((entry) => machine.workload(spire, entry, "rotating-workload", 10));
    keeper = machine.workload(spire, web, "svid-keeper", 50);
    await Promise.all([...rotating.map((workload) => workload.logged("calls")), keeper.logged("accepted")]);
    old = { id: (await spire.authorities()).active, issuer: keeper.identity!.issuer! };
  });
  after(() => machine.end());

  // Each SVID causes a new handshake of a client, or a new certificate for the server's next handshakes.
  it("server and clients rotate their SVIDs ten times", async (t) => {
    const adoptions = () => [server.lines("identity updated"), ...rotating.map(({ identities }) => identities)];
    const before = adoptions().map(({ length }) => length);
    await until("server and clients have had ten more SVIDs", () =>
      adoptions().every(({ length }, i) => length >= before[i]! + 10),
    );
    t.diagnostic(`${adoptions()[0]!.length - before[0]!} of the server`);
  });

  // Prepared: all workloads trust the new CA. Tainted: all get an SVID from it. Revoked: no workload trusts the old CA.
  it("a new CA replaces the old one, and a workload with an SVID of the old one is disconnected within a second", async (t) => {
    await spire.rotate("prepare");
    await until("all have both CAs", () => workloads().every(({ identity }) => authorities(identity) === 2));
    await spire.rotate("activate", (await spire.authorities()).prepared);
    await spire.rotate("taint", old.id);
    await until("all have an SVID of the new CA", () =>
      workloads().every(({ identity }) => identity?.issuer !== old.issuer),
    );
    await until("the server has one too", async () => (await issuerOfServer()) !== old.issuer);
    assert.deepEqual(keeper.reports("closed"), []);
    const revoked = Date.now();
    await spire.rotate("revoke", old.id);
    // The agent sends the new bundle to all workloads at the same time. The keeper reports it, but keeps its SVID.
    const isPush = ({ time, ...line }: IdentityLine & { time: number }) => time > revoked && authorities(line) === 1;
    const { time } = await until("the agent sends the new bundle", () => keeper.identities.find(isPush));
    await assertDisconnected(t, keeper, time);
  });

  it("no call has failed", async (t) => {
    for (const workload of rotating) {
      await workload.stop();
      assert.deepEqual(workload.reports("failed"), []);
      t.diagnostic(`${workload.reports("calls").at(-1)!["calls"]} calls, ${workload.identities.length} SVIDs`);
    }
  });

  function workloads(): readonly WorkloadProcess[] {
    return [...rotating, keeper];
  }

  async function issuerOfServer(): Promise<string> {
    const port = Number(machine.address.split(":")[1]);
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    socket.on("error", () => {});
    await nextEvent(socket, "secureConnect");
    const { issuer } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return issuer;
  }
});

/** The number of CAs of example.org in a workload's bundle. */
function authorities(identity: Pick<IdentityLine, "authorities"> | undefined): number | undefined {
  return identity?.authorities?.["example.org"]?.length;
}
