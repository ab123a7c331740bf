import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JobResult } from "../../../bench/job.ts";
import { ratio, spreadOf } from "../../../bench/rounds.ts";

const result = (rate: number) => ({ rate }) as JobResult;

describe("rounds", () => {
  it("have a median, for any order and number of values", () => {
    assert.deepEqual(spreadOf([3]), { median: 3, least: 3, most: 3 });
    assert.deepEqual(spreadOf([10, 9, 100]), { median: 10, least: 9, most: 100 });
    assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, least: 1, most: 4 });
  });

  // A machine that is slower in one round slows both servers, so it does not change the ratio of that round. The ratio
  // of the medians (300 / 200) would compare measurements of different rounds.
  it("compare servers within a round", () => {
    const rounds = new Map([
      ["fast", [result(400), result(100), result(300)]],
      ["slow", [result(200), result(50), result(250)]],
    ]);
    assert.deepEqual(
      ratio(rounds, "fast", "slow", ({ rate }) => rate),
      { median: 2, least: 1.2, most: 2 },
    );
  });
});
