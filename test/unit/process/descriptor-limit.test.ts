import assert from "node:assert/strict";
import { test } from "node:test";
import { fewDescriptors } from "../../../src/process/descriptor-limit.ts";
import type { KernelFiles } from "../../../src/process/kernel-files.ts";

function machine(limits: string | undefined): KernelFiles {
  return { read: (file) => (file === "/proc/self/limits" ? limits : undefined), write: () => {} };
}

const limited = (soft: string) =>
  machine(`Limit                     Soft Limit           Hard Limit           Units
Max processes             94000                94000                processes
Max open files            ${soft.padEnd(20)} ${soft.padEnd(20)} files
`);

// Enough is enough, and where the kernel does not tell there is nothing to warn of; too few are named with what is
// needed.
test("file descriptors are warned of when connections could use them up", () => {
  assert.match(fewDescriptors(limited("1024"), 1000) ?? "", /^1024 files.*--max-connections 1000 needs 1128;.*nofile/);
  assert.equal(fewDescriptors(limited("1128"), 1000), undefined);
  assert.equal(fewDescriptors(limited("unlimited"), 1000), undefined);
  assert.equal(fewDescriptors(machine(undefined), 1000), undefined);
});
