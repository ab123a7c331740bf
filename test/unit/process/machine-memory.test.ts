import assert from "node:assert/strict";
import { test } from "node:test";
import { littleMemory } from "../../../src/process/machine-memory.ts";

// 500 MB beside the store are enough; with less, the warning says how much there is, of the container where it has a
// limit, of the machine otherwise.
test("memory is warned of when a full store would leave too little of it", () => {
  const GB = 1e9;
  assert.equal(littleMemory({ total: 8 * GB, constrained: 0 }, 6 * GB), undefined);
  assert.equal(littleMemory({ total: 8 * GB, constrained: GB }, 0.5 * GB), undefined);
  assert.match(littleMemory({ total: 8 * GB, constrained: GB }, 0.501 * GB) ?? "", /^of 1000 MB, .* leaves 499 MB,/);
  assert.match(
    littleMemory({ total: GB, constrained: 0 }, 2 * GB) ?? "",
    /^of 1000 MB, .* leaves -1000 MB,.*lower --max/,
  );
});
