import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ServerProcess } from "../support/server-process.ts";
import { assertOut } from "./assert-out.ts";
import { ENTRIES, Machine } from "./machine.ts";
import { reasonToSkip } from "../support/programs.ts";
import type { Spire } from "./spire.ts";
import { until } from "../support/until.ts";

const { coffer, api, partner } = ENTRIES;

// Two SPIREs that know each other's bundles, each with an agent of its own.
describe("a workload of a federated trust domain", { skip: reasonToSkip() }, () => {
  let machine: Machine;
  let home: Spire;
  let abroad: Spire;
  let server: ServerProcess;
  before(async () => {
    machine = new Machine();
    home = await machine.spire();
    abroad = await machine.spire({ trustDomain: "other.org" });
    await home.federate(abroad);
    await abroad.federate(home);
    await home.enter({ ...coffer, federatesWith: ["other.org"] });
    await home.enter(api);
    await abroad.enter({ ...partner, federatesWith: ["example.org"] });
    server = await machine.startCoffer(home);
    await server.serving();
  });
  after(() => machine.end());

  it("gets in, and may do what a rule allows", async () => {
    assert.equal(server.lines("identity adopted")[0]?.["trust_domain"], "example.org other.org");
    const put = await machine.command(home, api, "put", "shop/api/db", "user=app");
    assert.equal(put.code, 0, put.stderr);
    const got = await machine.command(abroad, partner, "get", "shop/api/db", "user");
    assert.deepEqual([got.code, String(got.stdout)], [0, "app"], got.stderr);
    const denied = await machine.command(abroad, partner, "put", "shop/api/db", "user=partner");
    assert.equal(denied.code, 4, denied.stderr);
  });

  it("is out within a second when its bundle is removed, and nobody else is", async (t) => {
    const theirs = machine.workload(abroad, partner, "holdout", 50);
    const ours = machine.workload(home, api, "holdout", 50);
    await Promise.all([theirs.logged("in"), ours.logged("in")]);
    const removed = Date.now();
    await home.defederate(abroad);
    const adopted = await until("the server knows", () =>
      server.lines("identity adopted").find((line) => line["trust_domain"] === "example.org"),
    );
    const pushed = Date.parse(String(adopted["time"]));
    t.diagnostic(`${pushed - removed} ms from the removal to the push`);
    await assertOut(t, theirs, pushed);
    const { reason, spiffe_id } = server.lines("connection refused")[0]!;
    assert.deepEqual([reason, spiffe_id], ["no-bundle", partner.id]);
    assert.deepEqual([ours.said("closed"), ours.said("out")], [[], []]);
  });
});
