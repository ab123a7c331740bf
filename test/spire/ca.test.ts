import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
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

// SPIRE keeps an expired CA in the bundle for a day. It verifies no SVID, and must not make the bundle invalid.
it("a bundle with an expired CA is accepted", { skip }, async (t) => {
  const spire = await machine.spire({ caTtl: "1m" });
  for (const entry of [coffer, api]) await spire.addEntry({ ...entry, ttl: 10 });
  const server = await machine.startCoffer(spire);
  await server.serving();
  const workload = machine.workload(spire, api, "rotating-workload", 100);
  await until("one of the CAs has expired", () => {
    const ends = workload.identity?.authorities?.["example.org"] ?? [];
    return ends.length > 1 && Math.min(...ends) < Date.now();
  });
  const before = server.lines("identity updated").length;
  await until("the server adopts another identity", () => server.lines("identity updated").length > before);
  const got = await machine.command(spire, api, "put", "shop/api/db", "user=app");
  assert.equal(got.code, 0, got.stderr);
  await workload.stop();
  assert.deepEqual(workload.reports("failed"), []);
  t.diagnostic(`${workload.identity!.authorities!["example.org"]!.length} CAs`);
});

// If SPIRE has an upstream CA, the bundle contains that CA, and SVIDs have an intermediate.
it("SVIDs with an intermediate are accepted", { skip }, async () => {
  const credential = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock).credential;
  const upstream = { cert: join(machine.folder, "upstream.pem"), key: join(machine.folder, "upstream.key") };
  writeFileSync(upstream.cert, credential.certPem);
  writeFileSync(upstream.key, credential.keyPem, { mode: 0o600 });
  const spire = await machine.spire({ upstream });
  for (const entry of [coffer, api]) await spire.addEntry(entry);
  const server = await machine.startCoffer(spire);
  await server.serving();
  const workload = machine.workload(spire, api, "rotating-workload", 100);
  await workload.logged("calls");
  const { chain, authorities } = workload.identity!;
  assert.deepEqual([chain, authorities], [2, { "example.org": [credential.notAfter] }]);
  await workload.stop();
  assert.deepEqual(workload.reports("failed"), []);
});
