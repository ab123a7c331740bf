import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { connect } from "node:tls";
import type { ServerProcess } from "../support/server-process.ts";
import { assertOut } from "./assert-out.ts";
import { ENTRIES, Machine, type WorkloadProcess } from "./machine.ts";
import { reasonToSkip } from "../support/programs.ts";
import type { Spire } from "./spire.ts";
import { until } from "../support/until.ts";
import type { IdentityLine } from "./workload.ts";

const { coffer, admin, api, web } = ENTRIES;

/** Seconds. An agent that asks every second renews these at each question. */
const SHORT = 10;

describe("under load on a real SPIRE", { skip: reasonToSkip() }, () => {
  let machine: Machine;
  let spire: Spire;
  let server: ServerProcess;
  let followers: readonly WorkloadProcess[];
  let holdout: WorkloadProcess;
  let old: { readonly id: string; readonly issuer: string };
  before(async () => {
    machine = new Machine();
    spire = await machine.spire({ syncInterval: "1s" });
    for (const entry of [coffer, admin, api]) await spire.enter({ ...entry, ttl: SHORT });
    await spire.enter(web);
    server = await machine.startCoffer(spire);
    await server.serving();
    followers = [admin, api].map((entry) => machine.workload(spire, entry, "follower", 10));
    holdout = machine.workload(spire, web, "holdout", 50);
    await Promise.all([...followers.map((follower) => follower.logged("calls")), holdout.logged("in")]);
    old = { id: (await spire.authorities()).active, issuer: holdout.identity!.issuer! };
  });
  after(() => machine.end());

  // Each a new handshake for clients, and a new certificate for the server's next ones.
  it("ten SVIDs of server and clients go by", async (t) => {
    const adoptions = () => [server.lines("identity adopted"), ...followers.map(({ identities }) => identities)];
    const before = adoptions().map(({ length }) => length);
    await until("server and clients have had ten more SVIDs", () =>
      adoptions().every(({ length }, i) => length >= before[i]! + 10),
    );
    t.diagnostic(`${adoptions()[0]!.length - before[0]!} of the server`);
  });

  // Prepared: everybody learns to trust the new one. Tainted: everybody gets an SVID from it. Revoked: the old one is out.
  it("a new authority takes over, and who still has an SVID of the old one is out within a second", async (t) => {
    await spire.rotate("prepare");
    await until("all have both authorities", () => everybody().every(({ identity }) => authorities(identity) === 2));
    await spire.rotate("activate", (await spire.authorities()).prepared);
    await spire.rotate("taint", old.id);
    await until("all have an SVID of the new authority", () =>
      everybody().every(({ identity }) => identity?.issuer !== old.issuer),
    );
    await until("the server has one as well", async () => (await issuerOfServer()) !== old.issuer);
    assert.deepEqual(holdout.said("closed"), []);
    const revoked = Date.now();
    await spire.rotate("revoke", old.id);
    // The agent pushes to all at once. The holdout uses nothing of it, but says when that was.
    const isPush = ({ time, ...line }: IdentityLine & { time: number }) => time > revoked && authorities(line) === 1;
    const { time } = await until("the agent tells", () => holdout.identities.find(isPush));
    await assertOut(t, holdout, time);
  });

  it("no call has failed", async (t) => {
    for (const follower of followers) {
      await follower.stop();
      assert.deepEqual(follower.said("failed"), []);
      t.diagnostic(`${follower.said("calls").at(-1)!["calls"]} calls, ${follower.identities.length} SVIDs`);
    }
  });

  function everybody(): readonly WorkloadProcess[] {
    return [...followers, holdout];
  }

  async function issuerOfServer(): Promise<string> {
    const port = Number(machine.address.split(":")[1]);
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    const { issuer } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return issuer;
  }
});

/** How many authorities of example.org a workload knows. */
function authorities(identity: Pick<IdentityLine, "authorities"> | undefined): number | undefined {
  return identity?.authorities?.["example.org"]?.length;
}
