import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { availableCpus } from "../../../src/process/available-cpus.ts";

/** The available CPUs of a process whose affinity allows eight, on a machine with these files. */
function cpus(files: Readonly<Record<string, string>>): number {
  return availableCpus({ read: (file) => files[file] }, 8);
}

const FS = "/sys/fs/cgroup";
const own = (lines: string) => ({ "/proc/self/cgroup": lines });

describe("the available CPUs", () => {
  it("are those of the affinity without cgroups, and without a quota", () => {
    assert.equal(cpus({}), 8);
    assert.equal(cpus({ ...own("0::/\n"), [`${FS}/cpu.max`]: "max 100000\n" }), 8);
    assert.equal(cpus({ ...own("1:cpu:/\n"), [`${FS}/cpu/cpu.cfs_quota_us`]: "-1\n" }), 8);
  });

  // With 1.5 CPUs, a second thread that answers calls would use the time of the first one.
  it("are rounded down to whole ones, and at least one", () => {
    for (const [quota, expected] of [
      [100_000, 1],
      [150_000, 1],
      [200_000, 2],
      [50_000, 1],
      [1_600_000, 8],
    ] as const) {
      assert.equal(cpus({ ...own("0::/\n"), [`${FS}/cpu.max`]: `${quota} 100000\n` }), expected, `${quota}`);
    }
  });

  // systemd sets the quota of a service on its slice or on the service; a pod has one, and its containers have others.
  it("are limited by the smallest quota of the cgroup and of those above it", () => {
    const slice = { ...own("0::/system.slice/coffer.service\n"), [`${FS}/system.slice/cpu.max`]: "300000 100000\n" };
    assert.equal(cpus({ ...slice, [`${FS}/system.slice/coffer.service/cpu.max`]: "max 100000\n" }), 3);
    assert.equal(cpus({ ...slice, [`${FS}/system.slice/coffer.service/cpu.max`]: "200000 100000\n" }), 2);
    assert.equal(cpus({ ...slice, [`${FS}/other.slice/cpu.max`]: "100000 100000\n" }), 3, "another cgroup");
  });

  it("are limited by cgroup version 1, also in a container that has no namespace of cgroups", () => {
    const quota = (folder: string) => ({
      [`${folder}/cpu.cfs_quota_us`]: "250000\n",
      [`${folder}/cpu.cfs_period_us`]: "100000\n",
    });
    const lines = own("5:memory:/x\n4:cpu,cpuacct:/docker/1a2b\n0::/\n");
    assert.equal(cpus({ ...lines, ...quota(`${FS}/cpu/docker/1a2b`) }), 2);
    assert.equal(cpus({ ...lines, ...quota(`${FS}/cpu`) }), 2);
    assert.equal(cpus({ ...lines, ...quota(`${FS}/cpu/other`) }), 8);
  });
});
