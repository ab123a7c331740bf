import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KernelFiles } from "../../../src/process/kernel-files.ts";
import { emptyCoreDumps, swapWarning } from "../../../src/process/memory-on-disk.ts";

/** A machine with these files; writing to one that is not there does nothing, as in a container without /proc. */
function machine(given: Record<string, string>, { readOnly = false } = {}): KernelFiles {
  const files = new Map(Object.entries(given));
  return {
    read: (file) => files.get(file),
    write: (file, text) => {
      if (files.has(file) && !readOnly) files.set(file, `${text.padStart(8, "0")}\n`);
    },
  };
}

const FILTER = { "/proc/self/coredump_filter": "00000033\n" };
const limits = (soft: string) => ({
  "/proc/self/limits": `Limit                     Soft Limit           Hard Limit           Units
Max stack size            8388608              unlimited            bytes
Max core file size        ${soft.padEnd(20)} unlimited            bytes
Max resident set          unlimited            unlimited            bytes
`,
});

describe("core dumps", () => {
  // Off and empty: nothing to say.
  it("are no matter when they are off and hold no memory", () => {
    assert.equal(emptyCoreDumps(machine({ ...FILTER, ...limits("0") })), undefined);
  });

  // Empty but on: what still lands in them are registers, and that is said with what ends it.
  it("are warned of while they are on", () => {
    for (const limit of ["unlimited", "1024"]) {
      const warning = emptyCoreDumps(machine({ ...FILTER, ...limits(limit) }));
      assert.match(warning ?? "", new RegExp(`limit ${limit}\\), though without memory;.*ulimit -c 0.*LimitCORE=0`));
    }
    assert.match(emptyCoreDumps(machine(FILTER)) ?? "", /limit unknown/);
  });

  // A limit of 0 does not hold where dumps go into a pipe, so it is no comfort.
  it("are warned of when they can't be emptied, whatever their limit is", () => {
    for (const files of [{}, limits("0"), { ...FILTER, ...limits("0") }]) {
      assert.match(emptyCoreDumps(machine(files, { readOnly: true })) ?? "", /can hold secrets.*can't be set to 0/);
    }
  });
});

const HEADER = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
const SWAP = { "/proc/swaps": `${HEADER}/dev/dm-1                               partition\t8388604\t\t0\t\t-2\n` };
const UNIT = { "/proc/self/cgroup": "0::/system.slice/coffer.service\n" };
const swapMax = (folder: string, limit: string) => ({ [`/sys/fs/cgroup${folder}/memory.swap.max`]: `${limit}\n` });

describe("swap", () => {
  it("is no matter on a machine that has none", () => {
    assert.equal(swapWarning(machine({ "/proc/swaps": HEADER })), undefined);
  });

  it("is warned of on a machine that has some, and when that can't be seen", () => {
    assert.match(swapWarning(machine(SWAP)) ?? "", /can be swapped to a disk; set MemorySwapMax=0/);
    assert.match(swapWarning(machine({ ...SWAP, ...UNIT })) ?? "", /can be swapped to a disk/);
    assert.match(swapWarning(machine({})) ?? "", /unknown, because \/proc\/swaps can't be read/);
  });

  // The limit of the unit, of the slice around it, or of the container, which sees itself as the root. Any other limit
  // than 0 lets something be swapped, and the limit of another unit is none of ours.
  it("is no matter where the cgroup, or one above it, forbids it", () => {
    for (const folder of ["/system.slice/coffer.service", "/system.slice", ""]) {
      assert.equal(swapWarning(machine({ ...SWAP, ...UNIT, ...swapMax(folder, "0") })), undefined, folder);
      for (const limit of ["max", "1048576"])
        assert.notEqual(swapWarning(machine({ ...SWAP, ...UNIT, ...swapMax(folder, limit) })), undefined);
    }
    assert.equal(swapWarning(machine({ ...SWAP, "/proc/self/cgroup": "0::/\n", ...swapMax("", "0") })), undefined);
    const other = swapMax("/system.slice/other.service", "0");
    assert.notEqual(swapWarning(machine({ ...SWAP, ...UNIT, ...other })), undefined);
  });
});
