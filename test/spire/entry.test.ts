import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import type { ServerProcess } from "../support/server-process.ts";
import { assertDisconnected } from "./assert-disconnected.ts";
import { ENTRIES, Machine } from "./machine.ts";
import { reasonToSkip } from "../support/programs.ts";
import type { Spire } from "./spire.ts";
import { until } from "../support/until.ts";

const { coffer, api, web } = ENTRIES;

/** The lifetime of the workload's SVIDs, in seconds: long enough to delete the entry while one is valid. */
const SHORT = 15;

const skip = reasonToSkip();
let machine: Machine;
let spire: Spire;
let server: ServerProcess;
before(async () => {
  if (skip) return;
  machine = new Machine();
  spire = await machine.spire();
  for (const entry of [coffer, web]) await spire.addEntry(entry);
  await spire.addEntry({ ...api, ttl: SHORT });
  server = await machine.startCoffer(spire);
  await server.serving();
});
after(() => machine?.end());

// SPIRE revokes nothing: an SVID that it does not renew expires. The workload is accepted until then, and not longer.
// The same applies to an attacker who has stolen the SVID, keeps the connection and ignores every GOAWAY.
it("a workload whose entry is deleted is disconnected when its last SVID expires", { skip }, async (t) => {
  const keeper = machine.workload(spire, api, "svid-keeper", 50);
  const other = machine.workload(spire, web, "svid-keeper", 50);
  await Promise.all([keeper.logged("accepted"), other.logged("accepted")]);
  const { validUntil } = keeper.identities[0]!;
  await spire.remove(api.name);
  await until("the agent reports that there is no identity", () =>
    keeper.identity?.problems.some((problem) => problem.endsWith("PERMISSION_DENIED: no identity issued")),
  );
  const reportedAt = Date.now();
  const { generation } = keeper.identity!;
  await until("it is still accepted", () =>
    keeper.reports("accepted").some(({ startedAt }) => Number(startedAt) > reportedAt),
  );
  const lastAccepted = await assertDisconnected(t, keeper, validUntil!);
  assert.ok(lastAccepted <= validUntil!, "it was accepted with an expired SVID");

  const reasons = server.lines("connection refused").map(({ reason, spiffe_id }) => [reason, spiffe_id]);
  assert.deepEqual(reasons[0], ["expired", api.id]);
  assert.ok(
    keeper.identities.every((line) => (line.generation ?? 0) <= generation!),
    "it got another SVID",
  );
  // Other workloads are not affected.
  assert.deepEqual([other.reports("closed"), other.reports("refused")], [[], []]);
});
