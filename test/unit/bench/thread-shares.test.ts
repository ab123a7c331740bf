import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JobResult, ThreadTimes } from "../../../bench/job.ts";
import { amdahlRate, threadSharesOf } from "../../../bench/thread-shares.ts";

const result = (serverThreads: ThreadTimes) => ({ serverThreads }) as JobResult;

describe("the serial part of a call", () => {
  // 20 us on the store thread and 180 us elsewhere. One core needs 200 us for a call. 18 cores need 20 + 180 / 18 = 30.
  it("limits the rate on many cores, by Amdahl's law", () => {
    const measured = result({ main: 20, others: [90, 80, 10] });
    assert.equal(amdahlRate(measured, 1), 5000);
    assert.equal(Math.round(amdahlRate(measured, 18)), 33_333);
    assert.ok(amdahlRate(measured, 1e9) < 50_000);
  });

  // Without a serial part, the rate grows with the cores.
  it("does not limit the rate if it is 0", () => {
    assert.equal(
      amdahlRate(result({ main: 0, others: [100] }), 32),
      32 * amdahlRate(result({ main: 0, others: [100] }), 1),
    );
  });

  it("is the time of the main thread; the busiest other threads are the fronts", () => {
    const { mainMicros, frontMicros, otherMicros } = threadSharesOf([result({ main: 20, others: [90, 80, 7, 3] })], 2);
    assert.equal(mainMicros.median, 20);
    assert.deepEqual(
      frontMicros.map(({ median }) => median),
      [90, 80],
    );
    assert.equal(otherMicros.median, 10);
  });

  // With one thread, the main thread also answers the calls, so its time says nothing about further cores.
  it("is unknown with one thread", () => {
    const { frontMicros, otherMicros, rates } = threadSharesOf([result({ main: 20, others: [7, 3] })], 1);
    assert.deepEqual([frontMicros, otherMicros.median, rates.size], [[], 10, 0]);
  });
});
