import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FairQueue } from "../../../src/store/fair-queue.ts";

function queueOf(...items: readonly string[]): FairQueue<string> {
  const queue = new FairQueue<string>();
  for (const item of items) queue.add(callerOf(item), item);
  return queue;
}

/** The caller of "a1" is "a". */
function callerOf(item: string): string {
  return item.charAt(0);
}

function take(queue: FairQueue<string>, count: number): string[] {
  return Array.from({ length: count }, () => queue.next() ?? "");
}

describe("a fair queue", () => {
  it("takes the items of one caller in order of arrival", () => {
    assert.deepEqual(take(queueOf("a1", "a2", "a3"), 4), ["a1", "a2", "a3", ""]);
  });

  it("takes one item of each caller in turn", () => {
    assert.deepEqual(take(queueOf("a1", "a2", "a3", "b1", "b2", "c1"), 6), ["a1", "b1", "c1", "a2", "b2", "a3"]);
  });

  // A caller that has just had its turn must not come before one that waits.
  it("serves a caller that arrives later before the second item of each earlier one", () => {
    const queue = queueOf("a1", "a2", "a3", "b1", "b2");
    assert.deepEqual(take(queue, 2), ["a1", "b1"]);
    queue.add("c", "c1");
    assert.deepEqual(take(queue, 3), ["a2", "b2", "c1"]);
    assert.deepEqual(take(queue, 2), ["a3", ""]);
  });

  it("is empty when all items were taken or cleared", () => {
    const queue = queueOf("a1", "b1");
    assert.equal(queue.isEmpty, false);
    take(queue, 2);
    assert.equal(queue.isEmpty, true);
    queue.add("a", "a2");
    queue.add("b", "b2");
    assert.deepEqual(queue.clear().sort(), ["a2", "b2"]);
    assert.equal(queue.isEmpty, true);
  });
});
