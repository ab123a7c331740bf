import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { copyAsIs } from "../support/copy-folder.ts";
import { contentOf, storedValue } from "../support/dump.ts";
import { Site, type StartOptions } from "../support/server-process.ts";
import { AS_UNPRIVILEGED, UNPRIVILEGED, giveAway, surrounded, whyNoSurroundings } from "../support/surroundings.ts";

let site: Site;
beforeEach(() => {
  site = new Site();
});
afterEach(() => site.remove());

const skip = whyNoSurroundings() ?? false;
/** Asserts that a server serves, stores a secret, and shuts down gracefully. Also the control of the refusals below. */
async function assertServes(options: StartOptions, on = site): Promise<void> {
  const server = await on.start(options);
  const caller = on.caller(server);
  assert.equal((await caller.put({ path: "a", ...contentOf("1") })).code, "OK");
  assert.equal(storedValue((await caller.get({ path: "a" })).response), "1");
  caller.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.stderr);
  assert.deepEqual(unlogged(server.stderr), [], "standard error has only log lines");
}

function unlogged(stderr: string): string[] {
  return stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
}

// Each script fails if it can't create its environment, so that no case can pass in an ordinary environment.
const SERVED: readonly (readonly [what: string, script: string])[] = [
  [
    // Only the data folder and the socket's folder are writable.
    "HOME, space in /dev/shm, a user name for its uid, or a writable root file system",
    `mkdir "$0/data" "$0/run"
     chown ${UNPRIVILEGED} "$0/data" "$0/run"
     mount -t tmpfs -o size=4k,mode=1777 tmpfs /dev/shm
     head -c 4096 /dev/zero > /dev/shm/full
     mount --bind /tmp /tmp
     mount --bind "$0/data" "$0/data"
     mount --bind "$0/run" "$0/run"
     mount -o remount,bind,ro /tmp
     mount -o remount,bind,ro /
     fails touch "$0/x" /tmp/x /x
     exec ${AS_UNPRIVILEGED} env -i "$@" --listen "unix:$0/run/coffer.sock"`,
  ],
  [
    "an existing HOME, TMPDIR and compile cache",
    `mount -t tmpfs -o ro tmpfs /mnt; exec env HOME=/none TMPDIR=/none NODE_COMPILE_CACHE=/mnt/none "$@"`,
  ],
  ["/proc", `umount -l /proc; fails test -e /proc/self; exec "$@"`],
  ["the devices in /dev", `mount -t tmpfs -o ro tmpfs /dev; fails test -e /dev/null; exec "$@"`],
  ["an existing working folder", `mkdir "$0/gone"; cd "$0/gone"; rmdir "$0/gone"; exec "$@"`],
  ["access to its working folder", `mkdir -m 700 "$0/closed"; cd "$0/closed"; exec ${AS_UNPRIVILEGED} "$@"`],
  ["standard input and output", `exec "$@" <&- >&-`],
  ["a umask that leaves permissions", `umask 0777; exec ${AS_UNPRIVILEGED} "$@"`],
  ["a umask that removes permissions", `umask 0; exec "$@"`],
  ["a locale other than C, and a known time zone", `exec env -i LC_ALL=C TZ=No/Where "$@"`],
];

describe("serve does not need", { skip }, () => {
  for (const [what, script] of SERVED) {
    it(what, async () => {
      if (script.includes(AS_UNPRIVILEGED)) giveAway(site);
      await assertServes({ prefix: surrounded(site, script) });
    });
  }

  // With these options, the kernel hides other processes, or its own tables.
  for (const option of ["subset=pid", "hidepid=2"]) {
    it(`a complete /proc: ${option}`, async () => {
      await assertServes({ prefix: surrounded(site, `mount -t proc -o ${option} proc /proc; exec "$@"`) });
    });
  }
});

/** Replaces the kernel's list of swap areas, and removes the cgroup, which could forbid swap. */
const swapAreas = (...areas: string[]) =>
  `printf 'Filename Type Size Used Priority\\n${areas.join("")}' > "$0/swaps"
   mount --bind "$0/swaps" /proc/swaps
   umount -l /sys/fs/cgroup 2>&- || true
   ulimit -c 0; exec "$@"`;

// Swapped memory puts secrets on a disk. Without a swap area there is no warning.
it("serve warns if its memory can be swapped, and not otherwise", { skip }, async () => {
  const warnings = async (script: string) => {
    const server = await site.start({ prefix: surrounded(site, script) });
    await server.stop();
    return server.lines("memory may be written to disk").map(({ detail }) => String(detail));
  };
  assert.deepEqual(await warnings(swapAreas()), []);
  const [warning, ...more] = await warnings(swapAreas("/dev/dm-1 partition 8388604 0 -2\\n"));
  assert.match(warning ?? "", /secrets may be swapped to a disk/);
  assert.deepEqual(more, []);
});

const READ_ONLY = `mount --bind "$0/data" "$0/data"; mount -o remount,bind,ro "$0/data"`;

/** Leaves a socket file, like a server that does not close its socket. */
const LEAVE_SOCKET = 'require("net").createServer().listen(process.argv[1], () => process.exit())';

interface Refused {
  readonly what: string;
  readonly script: string;
  readonly said: RegExp;
}

// In each case, one line names the file, the reason, and the command or change that corrects it.
const REFUSED: readonly Refused[] = [
  {
    what: "data that is mounted read-only, with a store in it",
    script: `${READ_ONLY}; exec "$@"`,
    said: /data\/store can't be written: \S+ \(owner uid 0, gid 0, mode 0700\) is on .* read-only; run: mount -o remount,rw /,
  },
  {
    what: "data that is mounted read-only and empty",
    script: `rm -r "$0/data/store"; ${READ_ONLY}; exec "$@"`,
    said: /data\/store can't be written: \S+data \(owner .*\) is on .* read-only; run: mount -o remount,rw /,
  },
  {
    what: "a disk without space for a folder",
    script: `mount -t tmpfs -o nr_inodes=1 tmpfs "$0/data"; exec "$@"`,
    said: /data\/store can't be written: there is no free space on the disk of \S+data \(owner .*; run: df -h /,
  },
  {
    what: "a disk without space for a store",
    script: `mount -t tmpfs -o size=4k tmpfs "$0/data"; exec "$@"`,
    said: /coffer\.db can't be written: there is no free space on the disk of \S+store \(owner .*; run: df -h /,
  },
  {
    what: "a relative path when the working folder was removed",
    script: `mkdir "$0/gone"; cd "$0/gone"; rmdir "$0/gone"; exec "$@" --data data`,
    said: /^coffer: data can't be created: \. does not exist$/m,
  },
  {
    what: "a socket in a folder that does not exist",
    script: `exec "$@" --listen "unix:$0/none/coffer.sock"`,
    said: /none\/coffer\.sock: \S+none does not exist; run: install -d -o 0 \S+none$/m,
  },
  {
    what: "a socket in a folder without write access",
    script: `mkdir -m 755 "$0/closed"; chown -R 21011 "$0/data"; exec ${AS_UNPRIVILEGED} "$@" --listen "unix:$0/closed/coffer.sock"`,
    said: /closed is denied to uid 21011 \(EACCES\) by \S+closed \(owner uid 0, gid 0, mode 0755\); run: chown 21011 /,
  },
  {
    what: "a socket of another user",
    script: `mkdir -m 777 "$0/run"; "$1" -e '${LEAVE_SOCKET}' "$0/run/coffer.sock"
      test -S "$0/run/coffer.sock"
      chmod 600 "$0/run/coffer.sock"
      chown -R 21011 "$0/data"; exec ${AS_UNPRIVILEGED} "$@" --listen "unix:$0/run/coffer.sock"`,
    said: /coffer\.sock is denied to uid 21011 \(EACCES\) by \S+coffer\.sock \(owner uid 0, gid 0, mode 0600\); run: chown 21011 /,
  },
  {
    what: "a socket in a folder that is mounted read-only",
    script: `mkdir "$0/run"; mount -t tmpfs -o ro tmpfs "$0/run"; exec "$@" --listen "unix:$0/run/coffer.sock"`,
    said: /run can't be written: \S+run \(owner .*\) is on .* read-only; run: mount -o remount,rw /,
  },
  {
    // libuv would truncate the path and listen on another one.
    what: "a socket whose path is longer than the kernel allows",
    script: `exec "$@" --listen "unix:/tmp/${"x".repeat(103)}"`,
    said: /the path has 108 bytes, and a socket's path may have at most 107/,
  },
  {
    what: "a bundle that it can't read",
    script: `chmod 600 "$0/bundle.pem"; chown 0 "$0/bundle.pem"; chown -R 21011 "$0/data"; exec ${AS_UNPRIVILEGED} "$@"`,
    said: /bundle\.pem is denied to uid 21011 \(EACCES\) by \S+ \(owner uid 0, gid \d+, mode 0600\); run: chown 21011 /,
  },
];

describe("serve refuses to start, with one line, with", { skip }, () => {
  let served: Site;
  before(async () => {
    served = new Site();
    // The control: the store of each case below is served.
    await assertServes({}, served);
    await assertServes({}, served);
  });
  after(() => served.remove());

  for (const { what, script, said } of REFUSED) {
    it(what, async () => {
      copyAsIs(served.data, site.data);
      copyAsIs(served.rootKey, site.rootKey);
      if (script.includes(AS_UNPRIVILEGED)) giveAway(site);
      const refusal = await site.refusal({ prefix: surrounded(site, script) });
      assert.equal(refusal.code, 2, refusal.stderr);
      assert.match(refusal.stderr, said);
      const lines = unlogged(refusal.stderr);
      assert.equal(lines.length, 1, refusal.stderr);
      assert.match(lines[0]!, /^coffer: /);
    });
  }
});

// If a file of the program can't be opened, one line says so. Without a handler, Node would print a stack. Only Node 20
// opens enough files at the same time to reach this limit of descriptors: later releases load one file at a time.
const loadsAtOnce = process.versions.node.startsWith("20.");
it("serve reports in one line that the program can't be loaded", {
  skip: skip || (!loadsAtOnce && "only Node 20 opens so many files at once"),
}, async () => {
  await assertServes({});
  const { code, stderr } = await site.refusal({ prefix: surrounded(site, 'ulimit -n 32; exec "$@"') });
  assert.equal(code, 1);
  assert.match(stderr, /^coffer: the program can't be loaded: EMFILE.*\n$/);
});

// The longest path that the kernel allows is accepted, so the limit above is exact.
it("serve accepts a socket whose path has 107 bytes", async () => {
  const path = join(site.folder, "s").padEnd(107, "x");
  await assertServes({ flags: ["--listen", `unix:${path}`] });
});
