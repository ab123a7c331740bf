import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KernelFiles } from "../../../src/process/kernel-files.ts";
import { emptyCoreDumps, swapWarning } from "../../../src/process/memory-on-disk.ts";

/** A machine with these files. Writing to a missing file does nothing, as in a container without /proc. */
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
  // A limit of 0 disables core dumps, except those that the kernel pipes to a program. The filter excludes all memory
  // from these.
  it("cause no warning if they are disabled and exclude memory", () => {
    assert.equal(emptyCoreDumps(machine({ ...FILTER, ...limits("0") })), undefined);
  });

  // Enabled core dumps that exclude memory still contain registers. The warning says how to disable them.
  it("cause a warning while they are enabled", () => {
    for (const limit of ["unlimited", "1024"]) {
      const warning = emptyCoreDumps(machine({ ...FILTER, ...limits(limit) }));
      assert.match(warning ?? "", new RegExp(`limit ${limit}\\), but exclude memory;.*ulimit -c 0.*LimitCORE=0`));
    }
    assert.match(emptyCoreDumps(machine(FILTER)) ?? "", /limit unknown/);
  });

  // A size limit of 0 does not apply to dumps that go into a pipe, so it does not suppress this warning.
  it("cause a warning if memory can't be excluded, whatever their limit is", () => {
    for (const files of [{}, limits("0"), { ...FILTER, ...limits("0") }]) {
      assert.match(emptyCoreDumps(machine(files, { readOnly: true })) ?? "", /may contain secrets.*can't be set to 0/);
    }
  });
});

const HEADER = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
const SWAP = { "/proc/swaps": `${HEADER}/dev/dm-1                               partition\t8388604\t\t0\t\t-2\n` };
const UNIT = { "/proc/self/cgroup": "0::/system.slice/coffer.service\n" };
const swapMax = (folder: string, limit: string) => ({ [`/sys/fs/cgroup${folder}/memory.swap.max`]: `${limit}\n` });

describe("swap", () => {
  it("causes no warning on a machine without swap", () => {
    assert.equal(swapWarning(machine({ "/proc/swaps": HEADER })), undefined);
  });

  it("causes a warning on a machine with swap, and if /proc/swaps can't be read", () => {
    assert.match(swapWarning(machine(SWAP)) ?? "", /may be swapped to a disk; set MemorySwapMax=0/);
    assert.match(swapWarning(machine({ ...SWAP, ...UNIT })) ?? "", /may be swapped to a disk/);
    assert.match(swapWarning(machine({})) ?? "", /may be swapped to a disk: \/proc\/swaps can't be read/);
  });

  // The limit can be that of the unit, of the slice that contains the unit, or of the container, whose cgroup is the
  // root inside the container. Any limit other than 0 allows some swap, and the limit of another unit does not apply.
  it("causes no warning if the cgroup, or one above it, forbids it", () => {
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
