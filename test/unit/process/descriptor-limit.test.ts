import assert from "node:assert/strict";
import { test } from "node:test";
import { descriptorWarning } from "../../../src/process/descriptor-limit.ts";
import type { KernelFiles } from "../../../src/process/kernel-files.ts";

function machine(limits: string | undefined): KernelFiles {
  return { read: (file) => (file === "/proc/self/limits" ? limits : undefined), write: () => {} };
}

const limited = (soft: string) =>
  machine(`Limit                     Soft Limit           Hard Limit           Units
Max processes             94000                94000                processes
Max open files            ${soft.padEnd(20)} ${soft.padEnd(20)} files
`);

// There is no warning with enough descriptors, or if the kernel does not report the limit. Otherwise the warning has
// the number that is needed.
test("the start warns if connections could use up the file descriptors", () => {
  assert.match(
    descriptorWarning(limited("1024"), 1000, 1) ?? "",
    /^the limit on open files is 1024.*--max-connections 1000 needs 1128;.*nofile/,
  );
  assert.equal(descriptorWarning(limited("1128"), 1000, 1), undefined);
  assert.match(descriptorWarning(limited("1128"), 1000, 2) ?? "", /needs 1208;/);
  assert.equal(descriptorWarning(limited("1208"), 1000, 2), undefined);
  assert.equal(descriptorWarning(limited("unlimited"), 1000, 1), undefined);
  assert.equal(descriptorWarning(machine(undefined), 1000, 1), undefined);
});
