import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createAuthority } from "../../src/pki/development-ca.ts";
import { ENTRIES, Machine } from "./machine.ts";
import { reasonToSkip } from "../support/programs.ts";
import { until } from "../support/until.ts";

const { coffer, api } = ENTRIES;

const skip = reasonToSkip();
let machine: Machine;
before(() => {
  if (!skip) machine = new Machine();
});
after(() => machine?.end());

// SPIRE leaves an expired authority in the bundle for a day. It vouches for nobody, and spoils nothing.
it("a bundle that holds an expired authority is accepted", { skip }, async (t) => {
  const spire = await machine.spire({ caTtl: "1m" });
  for (const entry of [coffer, api]) await spire.enter({ ...entry, ttl: 10 });
  const server = await machine.startCoffer(spire);
  await server.serving();
  const workload = machine.workload(spire, api, "follower", 100);
  await until("one of the authorities has expired", () => {
    const ends = workload.identity?.authorities?.["example.org"] ?? [];
    return ends.length > 1 && Math.min(...ends) < Date.now();
  });
  const before = server.lines("identity adopted").length;
  await until("the server takes one more identity", () => server.lines("identity adopted").length > before);
  const got = await machine.command(spire, api, "put", "shop/api/db", "user=app");
  assert.equal(got.code, 0, got.stderr);
  await workload.stop();
  assert.deepEqual(workload.said("failed"), []);
  t.diagnostic(`${workload.identity!.authorities!["example.org"]!.length} authorities`);
});

// With an authority above SPIRE's own, the bundle holds that one, and SVIDs come with an intermediate.
it("SVIDs that come with an intermediate are accepted", { skip }, async () => {
  const above = createAuthority(TrustDomain.parse("example.org"), systemClock).credential;
  const upstream = { cert: join(machine.folder, "upstream.pem"), key: join(machine.folder, "upstream.key") };
  writeFileSync(upstream.cert, above.certPem);
  writeFileSync(upstream.key, above.keyPem, { mode: 0o600 });
  const spire = await machine.spire({ upstream });
  for (const entry of [coffer, api]) await spire.enter(entry);
  const server = await machine.startCoffer(spire);
  await server.serving();
  const workload = machine.workload(spire, api, "follower", 100);
  await workload.logged("calls");
  const { chain, authorities } = workload.identity!;
  assert.deepEqual([chain, authorities], [2, { "example.org": [above.notAfter] }]);
  await workload.stop();
  assert.deepEqual(workload.said("failed"), []);
});
