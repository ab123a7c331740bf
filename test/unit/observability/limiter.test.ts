import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limitLines } from "../../../src/observability/limiter.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import { createLogger } from "../../../src/observability/logger.ts";
import { ManualTimers } from "../../support/manual-timers.ts";
import { Lines } from "../../support/log-lines.ts";

function setUp() {
  const lines = new Lines();
  const timers = new ManualTimers(1_000_000);
  const limited = limitLines(createLogger("info", lines), timers);
  const times = (count: number, write: () => void) => Array.from({ length: count }).forEach(write);
  return { lines, timers, limited, times };
}

// Ten lines of a reason are written in a second. The first line in a later second has the number of the suppressed
// ones.
test("lines beyond the limit are counted in the next line", () => {
  const { lines, timers, limited, times } = setUp();
  times(25, () => limited.info("connection refused", "expired", { remote: "192.0.2.1" }));
  assert.equal(lines.all.length, 10);
  assert.ok(lines.all.every((line) => line["reason"] === "expired" && !("suppressed" in line)));
  timers.advance(1000);
  times(2, () => limited.info("connection refused", "expired"));
  assert.deepEqual(
    lines.all.slice(10).map((line) => line["suppressed"]),
    [15, undefined],
  );
});

// Many lines of one kind do not suppress lines of another kind.
test("each reason and each event has a separate limit", () => {
  const { lines, limited, times } = setUp();
  times(25, () => limited.info("connection refused", "expired"));
  limited.info("connection refused", "no-bundle");
  limited.info("call denied", "expired");
  assert.deepEqual(
    lines.all.slice(10).map((line) => [line["event"], line["reason"]]),
    [
      ["connection refused", "no-bundle"],
      ["call denied", "expired"],
    ],
  );
});

// A clock that is set back begins a new second, like any other change of the clock.
test("a clock that is set back does not suppress lines", () => {
  const { lines, timers, limited, times } = setUp();
  times(25, () => limited.info("call denied", "no rule"));
  timers.advance(-3_600_000);
  limited.info("call denied", "no rule");
  assert.equal(lines.all.length, 11);
});

// For any series of lines, no second has more than ten lines of a reason, and the written and the suppressed lines add
// up to all lines.
test("every line is written or counted", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.nat(400)), { maxLength: 200 }), (calls) => {
      const { lines, timers, limited } = setUp();
      const perSecond = new Map<string, number>();
      for (const [reason, elapsed] of calls) {
        timers.advance(elapsed);
        const before = lines.raw.length;
        limited.info("event", reason);
        const key = `${reason} ${Math.floor(timers.clock() / 1000)}`;
        perSecond.set(key, (perSecond.get(key) ?? 0) + lines.raw.length - before);
      }
      assert.ok([...perSecond.values()].every((count) => count <= 10));
      limited.summarize();
      const written = lines.all.filter(({ event }) => event === "event").length;
      const suppressed = lines.all.reduce((sum, line) => sum + Number(line["suppressed"] ?? 0), 0);
      assert.equal(written + suppressed, calls.length);
    }),
  );
});

// A summary reports each count once.
test("a summary reports the counts that no later line reported", () => {
  const { lines, limited, times } = setUp();
  times(12, () => limited.info("call denied", "no rule"));
  limited.summarize();
  limited.summarize();
  assert.equal(lines.all.length, 11);
  const { event, detail, reason, suppressed } = lines.all.at(-1)!;
  assert.deepEqual([event, detail, reason, suppressed], ["log lines suppressed", "call denied", "no rule", 2]);
});

// If peers could choose reasons, all reasons beyond the first 256 would share one limit, so memory is bounded.
test("the number of separate limits is bounded", () => {
  const { lines, limited } = setUp();
  for (let i = 0; i < 10_000; i++) limited.info("event", `reason ${i}`);
  assert.equal(lines.all.length, 256 + 10);
  limited.summarize();
  assert.equal(lines.all.at(-1)!["suppressed"], 10_000 - 256 - 10);
});

const caller = (name: string, domain = "example.org") => SpiffeId.parse(`spiffe://${domain}/${name}`);

// A caller that is denied a thousand times a second must not suppress the lines about a caller that is denied rarely.
test("each caller has a separate limit and count", () => {
  const { lines, timers, limited, times } = setUp();
  const denied = (name: string) =>
    limited.info("call denied", "ACCESS_DENIED", { spiffe_id: caller(name).toString() }, caller(name));
  for (let second = 0; second < 10; second++) {
    times(100, () => denied("noise"));
    times(10, () => denied("probe"));
    timers.advance(1000);
  }
  const of = (name: string) => lines.all.filter((line) => line["spiffe_id"] === caller(name).toString());
  assert.equal(of("probe").length, 100);
  assert.ok(of("probe").every((line) => line["event"] === "call denied" && !("suppressed" in line)));
  limited.summarize();
  const noise = of("noise");
  const suppressed = noise.reduce((sum, line) => sum + Number(line["suppressed"] ?? 0), 0);
  assert.equal(noise.filter(({ event }) => event === "call denied").length + suppressed, 1000);
});

// The count of a caller that is denied in one burst and then leaves is logged soon, and not only at shutdown.
test("counts are logged after a while, for each caller", () => {
  const { lines, timers, limited, times } = setUp();
  for (const [name, count] of [
    ["a", 15],
    ["b", 27],
    ["c", 10],
  ] as const) {
    times(count, () => limited.info("call denied", "ACCESS_DENIED", {}, caller(name)));
  }
  const before = lines.all.length;
  timers.advance(10_000);
  const reported = lines.all.slice(before).map(({ event, spiffe_id, suppressed }) => [event, spiffe_id, suppressed]);
  assert.deepEqual(reported, [
    ["log lines suppressed", "spiffe://example.org/a", 5],
    ["log lines suppressed", "spiffe://example.org/b", 17],
  ]);
  timers.advance(60_000);
  assert.equal(lines.all.length, before + 2);
});

// An attacker with a CA of a trust domain can create any number of callers. This causes neither an unlimited log nor
// unlimited memory, and does not suppress lines about other trust domains. The counts include all lines.
test("any number of callers share the limit of their trust domain", () => {
  const { lines, limited } = setUp();
  const denied = (name: string, domain?: string) =>
    limited.info("call denied", "ACCESS_DENIED", {}, caller(name, domain));
  for (let i = 0; i < 20_000; i++) denied(`w${i}`, "other.org");
  assert.equal(lines.all.length, 1000);
  denied("probe");
  assert.equal(lines.all.length, 1001);
  limited.summarize();
  const summary = lines.all.slice(1001);
  assert.equal(
    summary.reduce((sum, line) => sum + Number(line["suppressed"]), 0),
    19_000,
  );
  assert.equal(summary.filter((line) => "spiffe_id" in line).length, 4095);
  assert.equal(summary.filter((line) => line["trust_domain"] === "other.org").length, 1);
});
