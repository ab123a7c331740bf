import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { lockHolderAmong } from "../../../src/persistence/lock-holder.ts";

// Lines of /proc/locks: the major and the minor number of the device in hexadecimal, and the inode.
const LOCKS = `1: POSIX  ADVISORY  WRITE 101 00:2f:7 1073741824 1073742335
2: POSIX  ADVISORY  WRITE 202 00:30:7 1073741824 1073742335
3: POSIX  ADVISORY  WRITE 0 fd:01:8 0 EOF
4: FLOCK  ADVISORY  WRITE 303 103:1002:9 0 EOF
5: OFDLCK ADVISORY  WRITE -1 fd:01:9 0 EOF
`;

describe("the holder of a lock", () => {
  // The first files of all new volumes have the same inode numbers.
  it("is the process that locks the file with the same device and inode", () => {
    assert.equal(lockHolderAmong(LOCKS, { dev: 0x2fn, ino: 7n }), "101");
    assert.equal(lockHolderAmong(LOCKS, { dev: 0x30n, ino: 7n }), "202");
    assert.equal(lockHolderAmong(LOCKS, { dev: 0x31n, ino: 7n }), undefined);
  });

  // The bits of device numbers above 255 are in separate places of st_dev.
  it("is found on a device with large numbers", () => {
    const dev = (0x103n << 8n) | (0x1002n & 0xffn) | ((0x1002n & ~0xffn) << 12n);
    assert.equal(lockHolderAmong(LOCKS, { dev, ino: 9n }), "303");
  });

  // The kernel writes 0 for a process that is not visible in this PID namespace, and -1 for a lock without a process.
  it("is undefined when the kernel does not show it", () => {
    assert.equal(lockHolderAmong(LOCKS, { dev: 0xfd01n, ino: 8n }), undefined);
    assert.equal(lockHolderAmong(LOCKS, { dev: 0xfd01n, ino: 9n }), undefined);
    assert.equal(lockHolderAmong("", { dev: 0x2fn, ino: 7n }), undefined);
  });
});
