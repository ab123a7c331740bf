import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limitLines } from "../../../src/observability/limiter.ts";
import { createLogger } from "../../../src/observability/logger.ts";
import { Lines } from "./lines.ts";

function setUp() {
  const lines = new Lines();
  const clock = { now: 1_000_000 };
  const limited = limitLines(createLogger("info", lines), () => clock.now);
  const times = (count: number, write: () => void) => Array.from({ length: count }).forEach(write);
  return { lines, clock, limited, times };
}

// Ten lines of a reason are written in a second; the next line after that second carries the number of the others.
test("the rest of a second is counted on the next line", () => {
  const { lines, clock, limited, times } = setUp();
  times(25, () => limited.info("connection refused", "expired", { remote: "192.0.2.1" }));
  assert.equal(lines.all.length, 10);
  assert.ok(lines.all.every((line) => line["reason"] === "expired" && !("suppressed" in line)));
  clock.now += 1000;
  times(2, () => limited.info("connection refused", "expired"));
  assert.deepEqual(
    lines.all.slice(10).map((line) => line["suppressed"]),
    [15, undefined],
  );
});

// A flood of one kind does not hide another.
test("reasons and events are limited apart", () => {
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

// A clock that is set back begins a new second, like any other change of it.
test("a clock that is set back silences nobody", () => {
  const { lines, clock, limited, times } = setUp();
  times(25, () => limited.info("call denied", "no rule"));
  clock.now -= 3_600_000;
  limited.info("call denied", "no rule");
  assert.equal(lines.all.length, 11);
});

// However lines come, no second has more than ten of a reason, and written and suppressed add up to all of them.
test("no line is forgotten", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.nat(400)), { maxLength: 200 }), (calls) => {
      const { lines, clock, limited } = setUp();
      const perSecond = new Map<string, number>();
      for (const [reason, elapsed] of calls) {
        clock.now += elapsed;
        const before = lines.raw.length;
        limited.info("event", reason);
        const key = `${reason} ${Math.floor(clock.now / 1000)}`;
        perSecond.set(key, (perSecond.get(key) ?? 0) + lines.raw.length - before);
      }
      assert.ok([...perSecond.values()].every((count) => count <= 10));
      const written = lines.raw.length;
      limited.summarize();
      const suppressed = lines.all.reduce((sum, line) => sum + Number(line["suppressed"] ?? 0), 0);
      assert.equal(written + suppressed, calls.length);
    }),
  );
});

// A summary names what was suppressed, and tells it once.
test("a summary reports what no later line did", () => {
  const { lines, limited, times } = setUp();
  times(12, () => limited.info("call denied", "no rule"));
  limited.summarize();
  limited.summarize();
  assert.equal(lines.all.length, 11);
  const { event, detail, reason, suppressed } = lines.all.at(-1)!;
  assert.deepEqual([event, detail, reason, suppressed], ["lines suppressed", "call denied", "no rule", 2]);
});

// Were reasons ever made up by strangers, all beyond the first 256 would share one limit, and with it memory.
test("the number of kinds is bounded", () => {
  const { lines, limited } = setUp();
  for (let i = 0; i < 10_000; i++) limited.info("event", `reason ${i}`);
  assert.equal(lines.all.length, 256 + 10);
  limited.summarize();
  assert.equal(lines.all.at(-1)!["suppressed"], 10_000 - 256 - 10);
});
