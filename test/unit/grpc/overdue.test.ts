import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Overdue, TimedItem } from "../../../src/grpc/overdue.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

class Named extends TimedItem {
  readonly name: string;

  constructor(name: string) {
    super();
    this.name = name;
  }
}

let timers: ManualTimers;
let expired: string[];
let overdue: Overdue<Named>;
let [a, b, c] = [new Named("a"), new Named("b"), new Named("c")];

beforeEach(() => {
  timers = new ManualTimers(1_000_000);
  expired = [];
  [a, b, c] = [new Named("a"), new Named("b"), new Named("c")];
  overdue = new Overdue(timers, 100, ({ name }) => expired.push(name));
});

describe("an item", () => {
  it("expires when its time is over, and not before", () => {
    overdue.begin(a);
    timers.advance(99);
    assert.deepEqual(expired, []);
    timers.advance(1);
    assert.deepEqual(expired, ["a"]);
    timers.advance(1000);
    assert.deepEqual(expired, ["a"]);
  });

  it("does not expire when it has ended", () => {
    for (const item of [a, b]) overdue.begin(item);
    overdue.end(a);
    overdue.end(c);
    timers.advance(100);
    assert.deepEqual(expired, ["b"]);
  });

  // The items form a linked list. When one ends, its two neighbours must be linked to each other.
  it("does not affect the others when it ends, wherever it is among them", () => {
    for (const ending of [a, b, c]) {
      expired = [];
      for (const item of [a, b, c]) overdue.begin(item);
      overdue.end(ending);
      timers.advance(100);
      assert.deepEqual(
        expired,
        ["a", "b", "c"].filter((name) => name !== ending.name),
      );
    }
  });

  it("can be in one list after it has ended in another", () => {
    const other: Overdue<Named> = new Overdue(timers, 50, ({ name }) => expired.push(`other ${name}`));
    overdue.begin(a);
    other.end(a);
    overdue.end(a);
    other.begin(a);
    timers.advance(100);
    assert.deepEqual(expired, ["other a"]);
  });

  it("keeps its first start time when it is begun twice", () => {
    overdue.begin(a);
    timers.advance(50);
    overdue.begin(a);
    timers.advance(50);
    assert.deepEqual(expired, ["a"]);
  });

  // In this way an unread answer is checked at regular intervals.
  it("can begin again when it expires", () => {
    const again: Overdue<Named> = new Overdue(timers, 100, (item) => {
      expired.push(item.name);
      again.begin(item);
    });
    again.begin(a);
    timers.advance(350);
    assert.deepEqual(expired, ["a", "a", "a"]);
    assert.equal(timers.pauses.length, 1);
  });
});

// A timer for each call would cost more than the rest of the call's bookkeeping.
describe("the single timer", () => {
  it("waits for all items, and each expires at its own time", () => {
    overdue.begin(a);
    timers.advance(30);
    overdue.begin(b);
    timers.advance(30);
    overdue.begin(c);
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
    const again: Overdue<Named> = new Overdue(timers, 100, (item) => again.begin(item));
    for (const item of [a, b]) again.begin(item);
    for (let round = 0; round < 5; round++) {
      timers.advance(100);
      assert.deepEqual(timers.pauses, [100]);
    }
  });

  it("is not left running by an item that ended, or after close", () => {
    overdue.begin(a);
    overdue.end(a);
    timers.advance(100);
    assert.deepEqual(timers.pauses, []);
    overdue.begin(b);
    overdue.close();
    assert.deepEqual(timers.pauses, []);
    timers.advance(1000);
    assert.deepEqual(expired, []);
  });
});
