import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ServerProcess } from "../support/server-process.ts";
import { assertDisconnected } from "./assert-disconnected.ts";
import { ENTRIES, Machine } from "./machine.ts";
import { reasonToSkip } from "../support/programs.ts";
import type { Spire } from "./spire.ts";
import { until } from "../support/until.ts";

const { coffer, api, partner } = ENTRIES;

// Two SPIRE servers have each other's bundles. Each has its own agent.
describe("a workload of a federated trust domain", { skip: reasonToSkip() }, () => {
  let machine: Machine;
  let example: Spire;
  let other: Spire;
  let server: ServerProcess;
  before(async () => {
    machine = new Machine();
    example = await machine.spire();
    other = await machine.spire({ trustDomain: "other.org" });
    await example.federate(other);
    await other.federate(example);
    await example.addEntry({ ...coffer, federatesWith: ["other.org"] });
    await example.addEntry(api);
    await other.addEntry({ ...partner, federatesWith: ["example.org"] });
    server = await machine.startCoffer(example);
    await server.serving();
  });
  after(() => machine.end());

  it("is accepted, and may do what a rule allows", async () => {
    assert.equal(server.lines("identity updated")[0]?.["trust_domain"], "example.org other.org");
    const put = await machine.command(example, api, "put", "shop/api/db", "user=app");
    assert.equal(put.code, 0, put.stderr);
    const got = await machine.command(other, partner, "get", "shop/api/db", "user");
    assert.deepEqual([got.code, String(got.stdout)], [0, "app"], got.stderr);
    const denied = await machine.command(other, partner, "put", "shop/api/db", "user=partner");
    assert.equal(denied.code, 4, denied.stderr);
  });

  it("is disconnected within a second when its bundle is removed, and no other workload is", async (t) => {
    const partnerKeeper = machine.workload(other, partner, "svid-keeper", 50);
    const apiKeeper = machine.workload(example, api, "svid-keeper", 50);
    await Promise.all([partnerKeeper.logged("accepted"), apiKeeper.logged("accepted")]);
    const removed = Date.now();
    await example.defederate(other);
    const adopted = await until("the server adopts the new set of bundles", () =>
      server.lines("identity updated").find((line) => line["trust_domain"] === "example.org"),
    );
    const pushed = Date.parse(String(adopted["time"]));
    t.diagnostic(`${pushed - removed} ms from the removal to the push`);
    await assertDisconnected(t, partnerKeeper, pushed);
    const { reason, spiffe_id } = server.lines("connection refused")[0]!;
    assert.deepEqual([reason, spiffe_id], ["no-bundle", partner.id]);
    assert.deepEqual([apiKeeper.reports("closed"), apiKeeper.reports("refused")], [[], []]);
  });
});
