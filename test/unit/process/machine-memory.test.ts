import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryWarning } from "../../../src/process/machine-memory.ts";

// 500 MB in addition to the store are enough. With less, the warning has the available memory: the container's limit if
// there is one, otherwise the machine's memory.
test("the start warns if a full store would leave too little memory", () => {
  const GB = 1e9;
  assert.equal(memoryWarning({ total: 8 * GB, constrained: 0 }, 6 * GB), undefined);
  assert.equal(memoryWarning({ total: 8 * GB, constrained: GB }, 0.5 * GB), undefined);
  assert.match(
    memoryWarning({ total: 8 * GB, constrained: GB }, 0.501 * GB) ?? "",
    /^of the available 1000 MB, .* leaves 499 MB,/,
  );
  assert.match(
    memoryWarning({ total: GB, constrained: 0 }, 2 * GB) ?? "",
    /^of the available 1000 MB, .* leaves -1000 MB,.*lower --max/,
  );
});
