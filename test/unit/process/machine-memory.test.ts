import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryWarning } from "../../../src/process/machine-memory.ts";

// 500 MB in addition to the store are enough. With less, the warning has the available memory: the container's limit if
// there is one, otherwise the machine's memory.
test("the start warns if a full store would leave too little memory", () => {
  const GB = 1e9;
  assert.equal(memoryWarning({ total: 8 * GB, constrained: 0 }, 6 * GB, 1), undefined);
  assert.equal(memoryWarning({ total: 8 * GB, constrained: GB }, 0.5 * GB, 1), undefined);
  assert.match(
    memoryWarning({ total: 8 * GB, constrained: GB }, 0.501 * GB, 1) ?? "",
    /^of the available 1000 MB, .* leaves 499 MB,/,
  );
  assert.match(
    memoryWarning({ total: GB, constrained: 0 }, 2 * GB, 1) ?? "",
    /^of the available 1000 MB, .* leaves -1000 MB,.*lower --max/,
  );
  // With several threads, each needs 220 MB in addition to the 500 MB.
  assert.equal(memoryWarning({ total: 8 * GB, constrained: 0 }, 7.06 * GB, 2), undefined);
  assert.match(
    memoryWarning({ total: 8 * GB, constrained: 0 }, 7.061 * GB, 2) ?? "",
    /uses up to 940 MB under load \(--threads 2\); lower --max-store-bytes or --threads, or add memory/,
  );
});
