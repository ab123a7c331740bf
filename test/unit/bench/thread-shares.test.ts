import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JobResult, ThreadTime, ThreadTimes } from "../../../bench/job.ts";
import { amdahlRate, frontShares, singleThreadShares } from "../../../bench/thread-shares.ts";

const thread = (id: number, micros: number): ThreadTime => ({ id, micros });
const result = (main: number, ...others: ThreadTime[]) =>
  ({ serverThreads: { main, others } as ThreadTimes }) as JobResult;

describe("Amdahl's law", () => {
  // 20 us on the store thread and 180 us elsewhere. One core needs 200 us for a call, 18 cores need 20 + 180 / 18 = 30.
  it("does not divide the time of the store thread by the cores", () => {
    const cost = { main: 20, fronts: [90, 80], others: 10, replica: 0 };
    assert.equal(amdahlRate(cost, 1), 5000);
    assert.equal(Math.round(amdahlRate(cost, 18)), 33_333);
    assert.ok(amdahlRate(cost, 1e9) < 50_000);
  });

  // Each of the two fronts spends 5 us on every call. On 17 cores: 20 + 5 + (180 - 10) / 17 = 35.
  it("does not divide the time that every front spends on every call", () => {
    const cost = { main: 20, fronts: [90, 80], others: 10, replica: 5 };
    assert.equal(Math.round(amdahlRate(cost, 17)), 28_571);
  });

  it("lets the rate grow with the cores if nothing is serial", () => {
    const cost = { main: 0, fronts: [100], others: 0, replica: 0 };
    assert.equal(amdahlRate(cost, 32), 32 * amdahlRate(cost, 1));
  });
});

describe("the shares of threads", () => {
  // The busiest other threads are the fronts. During calls on one connection, a thread of V8 can be busier than the front
  // that answers none of them: that front is recognized by its ID.
  it("are those of the store thread, the fronts and the rest", () => {
    const all = result(20, thread(7, 90), thread(8, 80), thread(3, 9), thread(4, 1));
    const onOneFront = result(20, thread(7, 150), thread(3, 9), thread(8, 5), thread(4, 1));
    const { mainMicros, frontMicros, otherMicros, scaling } = frontShares([all], [onOneFront], 2);
    assert.equal(mainMicros.median, 20);
    assert.deepEqual(
      frontMicros.map(({ median }) => median),
      [90, 80],
    );
    assert.equal(otherMicros.median, 10);
    assert.equal(scaling?.replicaMicros.median, 5);
  });

  // With one thread, the main thread also answers the calls, so its time says nothing about more cores.
  it("have no scaling with one thread", () => {
    const { mainMicros, frontMicros, otherMicros, scaling } = singleThreadShares([
      result(20, thread(3, 7), thread(4, 3)),
    ]);
    assert.deepEqual([mainMicros.median, frontMicros, otherMicros.median, scaling], [20, [], 10, undefined]);
  });
});
