import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import type { ServerProcess } from "../support/server-process.ts";
import { assertOut } from "./assert-out.ts";
import { ENTRIES, Machine } from "./machine.ts";
import { reasonToSkip } from "../support/programs.ts";
import type { Spire } from "./spire.ts";
import { until } from "../support/until.ts";

const { coffer, api, web } = ENTRIES;

/** Seconds: enough to delete the entry while the SVID is valid, and no longer. */
const SHORT = 15;

const skip = reasonToSkip();
let machine: Machine;
let spire: Spire;
let server: ServerProcess;
before(async () => {
  if (skip) return;
  machine = new Machine();
  spire = await machine.spire();
  for (const entry of [coffer, web]) await spire.enter(entry);
  await spire.enter({ ...api, ttl: SHORT });
  server = await machine.startCoffer(spire);
  await server.serving();
});
after(() => machine?.end());

// SPIRE revokes nothing: what it does not renew ends. Until then the workload is in, and not a moment longer. A thief of
// the SVID, who keeps its connection and ignores what he is told, has no more of it.
it("a workload whose entry is deleted is out when its last SVID expires", { skip }, async (t) => {
  const holdout = machine.workload(spire, api, "holdout", 50);
  const other = machine.workload(spire, web, "holdout", 50);
  await Promise.all([holdout.logged("in"), other.logged("in")]);
  const { validUntil } = holdout.identities[0]!;
  await spire.remove(api.name);
  await until("the agent says that there is no identity", () =>
    holdout.identity?.problems.some((problem) => problem.endsWith("PERMISSION_DENIED: no identity issued")),
  );
  const told = Date.now();
  const { generation } = holdout.identity!;
  await until("it is still in", () => holdout.said("in").some(({ begun }) => Number(begun) > told));
  const lastIn = await assertOut(t, holdout, validUntil!);
  assert.ok(lastIn <= validUntil!, "it got in with an SVID that had expired");

  const reasons = server.lines("connection refused").map(({ reason, spiffe_id }) => [reason, spiffe_id]);
  assert.deepEqual(reasons[0], ["expired", api.id]);
  assert.ok(
    holdout.identities.every((line) => (line.generation ?? 0) <= generation!),
    "it got another SVID",
  );
  // The others notice nothing.
  assert.deepEqual([other.said("closed"), other.said("out")], [[], []]);
});
