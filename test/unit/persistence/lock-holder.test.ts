import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { lockHolderAmong } from "../../../src/persistence/lock-holder.ts";

// As a kernel writes them: major and minor number of the device in hexadecimal, and the inode.
const LOCKS = `1: POSIX  ADVISORY  WRITE 101 00:2f:7 1073741824 1073742335
2: POSIX  ADVISORY  WRITE 202 00:30:7 1073741824 1073742335
3: POSIX  ADVISORY  WRITE 0 fd:01:8 0 EOF
4: FLOCK  ADVISORY  WRITE 303 103:1002:9 0 EOF
5: OFDLCK ADVISORY  WRITE -1 fd:01:9 0 EOF
`;

describe("the holder of a lock", () => {
  // As many volumes as there are have the same numbers for the files that were made in them first.
  it("is that of the file on its own device", () => {
    assert.equal(lockHolderAmong(LOCKS, { dev: 0x2fn, ino: 7n }), "101");
    assert.equal(lockHolderAmong(LOCKS, { dev: 0x30n, ino: 7n }), "202");
    assert.equal(lockHolderAmong(LOCKS, { dev: 0x31n, ino: 7n }), undefined);
  });

  // Numbers that do not fit into a byte lie apart in st_dev.
  it("is found on a device with large numbers", () => {
    const dev = (0x103n << 8n) | (0x1002n & 0xffn) | ((0x1002n & ~0xffn) << 12n);
    assert.equal(lockHolderAmong(LOCKS, { dev, ino: 9n }), "303");
  });

  // The kernel writes 0 for a process that is not to be seen from here, and -1 for a lock of no process in particular.
  it("is not known when it can't be seen", () => {
    assert.equal(lockHolderAmong(LOCKS, { dev: 0xfd01n, ino: 8n }), undefined);
    assert.equal(lockHolderAmong(LOCKS, { dev: 0xfd01n, ino: 9n }), undefined);
    assert.equal(lockHolderAmong("", { dev: 0x2fn, ino: 7n }), undefined);
  });
});
