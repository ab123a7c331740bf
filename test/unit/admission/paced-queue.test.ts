import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Pace } from "../../../src/admission/pace.ts";
import { PacedQueue } from "../../../src/admission/paced-queue.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

/** Work that takes so many milliseconds, and when it was done. */
function busy(timers: ManualTimers, done: [name: string, at: number][]) {
  return (queue: PacedQueue<string>, name: string, weight: number, ms: number) =>
    queue.add(name, {
      weight,
      run: () => {
        done.push([name, timers.elapsed()]);
        timers.advance(ms);
      },
    });
}

function setUp() {
  const timers = new ManualTimers(0);
  const done: [string, number][] = [];
  return { timers, done, queue: new PacedQueue<string>(new Pace(timers)), add: busy(timers, done) };
}

describe("the paced queue", () => {
  it("does what comes alone at once", () => {
    const { timers, done, queue, add } = setUp();
    add(queue, "a", 1, 5);
    timers.advance(5);
    add(queue, "b", 1, 5);
    assert.deepEqual(done, [
      ["a", 0],
      ["b", 10],
    ]);
  });

  // Whatever clients make it cost, at least a third of the time is left for others.
  it("rests after each piece for half as long as it took", () => {
    const { timers, done, queue, add } = setUp();
    for (const [index, ms] of [40, 10, 1].entries()) add(queue, `${index}`, index, ms);
    timers.advance(1000);
    assert.deepEqual(done, [
      ["0", 0],
      ["1", 60],
      ["2", 75],
    ]);
  });

  // Those who bring much would otherwise keep everybody waiting who came after them.
  it("does the lightest first, and of those that weigh the same the first", () => {
    const { timers, done, queue, add } = setUp();
    for (const [name, weight] of [
      ["running", 1],
      ["heavy", 9],
      ["light", 2],
      ["as light", 2],
    ] as const) {
      add(queue, name, weight, 2);
    }
    timers.advance(100);
    assert.deepEqual(
      done.map(([name]) => name),
      ["running", "light", "as light", "heavy"],
    );
  });

  it("does not do what was taken out", () => {
    const { timers, done, queue, add } = setUp();
    for (const name of ["a", "b", "c"]) add(queue, name, 1, 2);
    queue.remove("b");
    timers.advance(100);
    assert.deepEqual(
      done.map(([name]) => name),
      ["a", "c"],
    );
  });

  // Otherwise one piece that fails would be the last one that is done.
  it("goes on after a piece that throws", () => {
    const { timers, done, queue, add } = setUp();
    const fails = () => {
      throw new Error("oops");
    };
    assert.throws(() => queue.add("bad", { weight: 0, run: fails }), /oops/);
    add(queue, "good", 1, 1);
    timers.advance(1);
    assert.deepEqual(
      done.map(([name]) => name),
      ["good"],
    );
  });
});
