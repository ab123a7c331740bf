import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BackOff } from "../../../src/workload-api/back-off.ts";

const pauses = (backOff: BackOff, count: number) => Array.from({ length: count }, () => backOff.next());

describe("BackOff", () => {
  it("is a second longer after each failure, up to 30 seconds", () => {
    const expected = Array.from({ length: 30 }, (_, index) => (index + 1) * 1000);
    assert.deepEqual(pauses(new BackOff(() => 0), 32), [...expected, 30_000, 30_000]);
  });

  it("begins with the first pause again after a success", () => {
    const backOff = new BackOff(() => 0);
    assert.deepEqual(pauses(backOff, 2), [1000, 2000]);
    backOff.reset();
    assert.deepEqual(pauses(backOff, 2), [1000, 2000]);
  });

  it("is up to a fifth shorter at random", () => {
    assert.deepEqual(pauses(new BackOff(() => 0.5), 2), [900, 1800]);
    assert.deepEqual(pauses(new BackOff(() => 1), 1), [800]);
  });
});
