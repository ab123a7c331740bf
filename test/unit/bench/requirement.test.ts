import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { atLeast, atMost, notMeasured } from "../../../bench/requirement.ts";
import { spreadOf } from "../../../bench/rounds.ts";
import { requirementsTable } from "../../../bench/table.ts";

describe("a requirement", () => {
  it("is decided by the median, and met at the bound", () => {
    assert.equal(atLeast("x", spreadOf([0, 1.2, 9]), 1.2).outcome, "ok");
    assert.equal(atLeast("x", spreadOf([9, 1.1, 9]), 9.1).outcome, "MISSED");
    assert.equal(atMost("x", spreadOf([0, 3, 9]), 3).outcome, "ok");
    assert.equal(atMost("x", spreadOf([0, 3.1, 9]), 3).outcome, "MISSED");
  });

  // A ratio of two servers that made no call is NaN.
  it("is not met by a figure that is not a number", () => {
    assert.equal(atLeast("x", spreadOf([Number.NaN]), 0).outcome, "MISSED");
    assert.equal(atMost("x", spreadOf([Number.NaN]), 1).outcome, "MISSED");
  });

  // A run without etcd must not look like one that met the bound.
  it("has a line of its own when it was not measured", () => {
    const table = requirementsTable([atLeast("a", spreadOf([1]), 1), notMeasured("b", "etcd was not started")]);
    assert.deepEqual(table.split("\n"), [
      "ok            a  1.00 (1.00-1.00)      at least 1",
      "not measured  b  etcd was not started",
    ]);
  });
});
