import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { lockedMemoryWarning } from "../../../src/process/locked-memory.ts";
import { SecretKey } from "../../../src/sealing/secret-key.ts";

const warning = (limit: string, threads: number) =>
  lockedMemoryWarning(
    { read: () => `Max locked memory         ${limit}                ${limit}             bytes\n` },
    threads,
  );

// Linux before 5.16, and container engines, allow 64 KiB.
it("the start warns if the keys of all threads can't be locked", () => {
  assert.equal(warning("65536", 6), undefined);
  assert.match(
    warning("65536", 7) ?? "",
    /^the limit on locked memory is 65536 bytes, .* --threads 7 need 73728;.*ulimit -l 72.*LimitMEMLOCK=73728/,
  );
  assert.equal(warning("16384", 1), undefined);
  assert.match(warning("0", 1) ?? "", /need 16384/);
  assert.equal(warning("unlimited", 64), undefined);
  assert.equal(lockedMemoryWarning({ read: () => undefined }, 64), undefined);
});

/** The locked memory of this process in KiB; undefined if the kernel does not report it. */
function lockedKiB(): number | undefined {
  try {
    return Number(/^VmLck:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1]);
  } catch {
    return undefined;
  }
}

// The warning counts one page of 4 KiB for each key.
const PAGES = process.arch === "x64" ? false : "the size of a page differs";
it("a key locks one page", { skip: lockedKiB() === undefined ? "no /proc" : PAGES }, (t) => {
  const before = lockedKiB();
  const keys = [SecretKey.random(), SecretKey.random()];
  const locked = lockedKiB()! - before!;
  for (const key of keys) key.wipe();
  if (locked === 0) return t.skip("this process may not lock memory");
  assert.equal(locked, 8);
});
