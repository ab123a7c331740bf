import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endInTime, lifetimeOf } from "../../../src/grpc/lifetime.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

describe("the lifetime of a connection", () => {
  // [remaining validity, random number] -> [GOAWAY after, closed after], times in milliseconds.
  const rows: [what: string, remaining: number, random: number, goAway: number, close: number][] = [
    ["is ten minutes and 30 seconds of grace for a long-lived SVID", 30 * DAY, 0.5, 10 * MINUTE, 10.5 * MINUTE],
    ["is up to a tenth shorter, depending on the random number", 30 * DAY, 0, 9 * MINUTE, 9.5 * MINUTE],
    [
      "is 80 % of the validity until the GOAWAY and all of it until the close, for an SVID of ten seconds",
      10_000,
      0.5,
      8000,
      10_000,
    ],
    ["ends before an SVID of five minutes expires", 5 * MINUTE, 0.5, 4 * MINUTE, 4.5 * MINUTE],
    ["is over immediately for an SVID that expires now", 0, 0.5, 0, 0],
  ];
  for (const [what, remaining, random, goAway, close] of rows) {
    it(what, () => {
      const { goAwayAt, closeAt } = lifetimeOf(1000 + remaining, 1000, random);
      assert.deepEqual([goAwayAt - 1000, closeAt - 1000].map(Math.round), [goAway, close]);
    });
  }

  // First the GOAWAY, then the close, each once and at its time. Neither happens after the connection has ended.
  it("ends in two steps", () => {
    const timers = new ManualTimers(0);
    const seen: string[] = [];
    const ending = { goAway: () => seen.push("go away"), close: () => seen.push("close") };
    endInTime({ goAwayAt: 800, closeAt: 1000 }, ending, timers);
    timers.advance(799);
    assert.deepEqual(seen, []);
    timers.advance(1);
    assert.deepEqual(seen, ["go away"]);
    timers.advance(200);
    assert.deepEqual(seen, ["go away", "close"]);
    const cancel = endInTime({ goAwayAt: 2000, closeAt: 3000 }, ending, timers);
    cancel();
    timers.advance(5000);
    assert.deepEqual(seen, ["go away", "close"]);
  });
});
