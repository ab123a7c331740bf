import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Overdue } from "../../../src/grpc/overdue.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

let timers: ManualTimers;
let expired: string[];
let overdue: Overdue<string>;

beforeEach(() => {
  timers = new ManualTimers(1_000_000);
  expired = [];
  overdue = new Overdue(timers, 100, (item) => expired.push(item));
});

describe("an item", () => {
  it("expires when its time is over, and not before", () => {
    overdue.begin("a");
    timers.advance(99);
    assert.deepEqual(expired, []);
    timers.advance(1);
    assert.deepEqual(expired, ["a"]);
    timers.advance(1000);
    assert.deepEqual(expired, ["a"]);
  });

  it("does not expire when it has ended", () => {
    for (const item of ["a", "b"]) overdue.begin(item);
    overdue.end("a");
    overdue.end("never begun");
    timers.advance(100);
    assert.deepEqual(expired, ["b"]);
  });

  it("keeps its first start time when it is begun twice", () => {
    overdue.begin("a");
    timers.advance(50);
    overdue.begin("a");
    timers.advance(50);
    assert.deepEqual(expired, ["a"]);
  });

  // In this way an unread answer is checked at regular intervals.
  it("can begin again when it expires", () => {
    const again: Overdue<string> = new Overdue(timers, 100, (item) => {
      expired.push(item);
      again.begin(item);
    });
    again.begin("a");
    timers.advance(350);
    assert.deepEqual(expired, ["a", "a", "a"]);
    assert.equal(timers.pauses.length, 1);
  });
});

// A timer for each call would cost more than the rest of the call's bookkeeping.
describe("the single timer", () => {
  it("waits for all items, and each expires at its own time", () => {
    overdue.begin("a");
    timers.advance(30);
    overdue.begin("b");
    timers.advance(30);
    overdue.begin("c");
    assert.equal(timers.pauses.length, 1);
    timers.advance(40);
    assert.deepEqual(expired, ["a"]);
    assert.deepEqual(timers.pauses, [30]);
    timers.advance(30);
    assert.deepEqual(expired, ["a", "b"]);
    timers.advance(30);
    assert.deepEqual(expired, ["a", "b", "c"]);
  });

  it("remains the only one while items begin again as they expire", () => {
    const again: Overdue<string> = new Overdue(timers, 100, (item) => again.begin(item));
    for (const item of ["a", "b"]) again.begin(item);
    for (let round = 0; round < 5; round++) {
      timers.advance(100);
      assert.deepEqual(timers.pauses, [100]);
    }
  });

  it("is not left running by an item that ended, or after close", () => {
    overdue.begin("a");
    overdue.end("a");
    timers.advance(100);
    assert.deepEqual(timers.pauses, []);
    overdue.begin("b");
    overdue.close();
    assert.deepEqual(timers.pauses, []);
    timers.advance(1000);
    assert.deepEqual(expired, []);
  });
});
