import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Writable } from "node:stream";
import { IdentityWatch } from "../../../src/app/identity-watch.ts";
import { Bundle } from "../../../src/spiffe/bundle.ts";
import { CurrentIdentity } from "../../../src/identity/current-identity.ts";
import { parseSvid } from "../../../src/spiffe/svid.ts";
import { TrustDomain } from "../../../src/spiffe/trust-domain.ts";
import { createLogger } from "../../../src/observability/logger.ts";
import { CallCounters } from "../../../src/observability/call-counters.ts";
import { Metrics } from "../../../src/observability/metrics.ts";
import { createDevelopmentCa } from "../../../src/pki/development-ca.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

const NOW = Date.UTC(2026, 2, 1, 12);
const HOUR = 3_600_000;
const DOMAIN = TrustDomain.parse("example.org");

let timers: ManualTimers;
let current: CurrentIdentity;
let metrics: Metrics;
let watch: IdentityWatch;
let lines: { level: string; event: string; detail?: string }[];

beforeEach(() => {
  timers = new ManualTimers(NOW);
  lines = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  metrics = new Metrics({ version: "0", node: "0" }, CallCounters.of({ methods: [], refusals: [] }, 1));
  current = new CurrentIdentity(timers, "nothing has come yet");
  watch = new IdentityWatch({ source: current, log: createLogger("info", stream), metrics, timers });
});

afterEach(() => {
  watch.close();
  current.close();
  metrics.close();
});

/** Adopts a new SVID that is valid for `ttl` milliseconds from now. */
function adopt(ttl: number, id = "spiffe://example.org/x"): void {
  const now = timers.clock();
  const ca = createDevelopmentCa(DOMAIN, timers.clock, { notAfter: now + 24 * HOUR });
  const { certPem, keyPem } = ca.issue({ id, notBefore: now, notAfter: now + ttl });
  const named = (name: string, text: string) => ({ name, bytes: Buffer.from(text) });
  const svid = parseSvid(named("cert", certPem), named("key", keyPem), "server");
  const bundle = Bundle.fromPem(DOMAIN, Buffer.from(ca.bundlePem), "bundle");
  current.adopt({ svid, validUntil: svid.notAfter, bundles: new Map([[DOMAIN.name, bundle]]) });
}

async function metric(name: string): Promise<number> {
  const { body } = await metrics.expose();
  return Number(
    body
      .split("\n")
      .find((line) => line.startsWith(name))
      ?.split(" ")
      .at(-1),
  );
}

const events = () => lines.map(({ event, detail }) => (detail === undefined ? event : `${event}: ${detail}`));

describe("the identity watch", () => {
  // A problem is logged when it occurs, not each time it is found again.
  it("logs each problem once, and that the source has recovered", () => {
    current.complain("no socket");
    current.complain("no socket");
    current.complain("no entry");
    adopt(HOUR);
    current.complain("the agent is gone");
    current.complain();
    assert.deepEqual(events(), [
      "waiting for an identity: nothing has come yet",
      "no identity: no socket",
      "no identity: no entry",
      "identity updated: CA certificates: example.org 1",
      "identity update failed: the agent is gone",
      "identity source recovered",
    ]);
  });

  // Clients expect the server's SPIFFE ID and refuse a server with another one, so a change of the ID causes a warning.
  it("warns when the SPIFFE ID changes, and not when it stays the same", () => {
    adopt(HOUR);
    adopt(HOUR);
    timers.advance(2 * HOUR);
    adopt(HOUR, "spiffe://example.org/y");
    const changed = lines.filter(({ event }) => event === "identity changed");
    assert.deepEqual(
      changed.map(({ level, detail }) => [level, detail]),
      [["warn", "the previous SPIFFE ID was spiffe://example.org/x"]],
    );
  });

  it("reports whether there is an identity", () => {
    assert.deepEqual(watch.check, { name: "identity", state: "not ready", why: "nothing has come yet" });
    adopt(HOUR);
    assert.deepEqual(watch.check, { name: "identity", state: "ok" });
    timers.advance(2 * HOUR);
    assert.match(JSON.stringify(watch.check), /not ready.*expired at/);
  });

  // SPIRE renews an SVID at half of its lifetime. When two thirds are over, the renewal has failed.
  it("warns once when the renewal is overdue, and not after a rotation", () => {
    adopt(HOUR);
    timers.advance(39 * 60_000);
    adopt(HOUR);
    timers.advance(39 * 60_000);
    const adopted = "identity updated: CA certificates: example.org 1";
    assert.deepEqual(events().slice(1), [adopted, adopted]);
    timers.advance(2 * 60_000);
    timers.advance(5 * 60_000);
    const overdue = lines.filter(({ event }) => event === "identity renewal overdue");
    assert.deepEqual(
      overdue.map(({ level }) => level),
      ["warn"],
    );
  });

  it("reports the expiry of the SVID and of the bundles in the metrics", async () => {
    assert.equal(await metric("coffer_svid_not_after_seconds"), 0);
    assert.equal(await metric("coffer_source_last_update_seconds"), 0);
    adopt(HOUR);
    assert.equal(await metric("coffer_svid_not_after_seconds"), (NOW + HOUR) / 1000);
    assert.equal(await metric("coffer_source_last_update_seconds"), NOW / 1000);
    assert.equal(await metric('coffer_bundle_not_after_seconds{trust_domain="example.org"}'), (NOW + 24 * HOUR) / 1000);
    timers.advance(2 * HOUR);
    assert.equal(await metric("coffer_svid_not_after_seconds"), 0);
    assert.ok(Number.isNaN(await metric("coffer_bundle_not_after_seconds{")));
  });
});
