import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { contentOf, storedValue } from "../support/dump.ts";
import { Site, type StartOptions } from "../support/server-process.ts";
import { AS_NOBODY, NOBODY, giveAway, surrounded, whyNoSurroundings } from "../support/surroundings.ts";

let site: Site;
beforeEach(() => {
  site = new Site();
});
afterEach(() => site.remove());

const skip = whyNoSurroundings() ?? false;
/** Serves, keeps what it is given, and ends in good order: what a right environment is the control of below, too. */
async function assertServes(options: StartOptions): Promise<void> {
  const server = await site.start(options);
  const caller = site.caller(server);
  assert.equal((await caller.put({ path: "a", ...contentOf("1") })).code, "OK");
  assert.equal(storedValue((await caller.get({ path: "a" })).response), "1");
  caller.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.stderr);
  assert.deepEqual(unlogged(server.stderr), [], "nothing is written but lines of the log");
}

function unlogged(stderr: string): string[] {
  return stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
}

// Each script fails when it did not make what it says, so that no case can pass in an ordinary environment.
const SERVED: readonly (readonly [what: string, script: string])[] = [
  [
    // All that is left to write is the data and the socket's folder.
    "a read-only root file system without HOME, room in /dev/shm or a name for its user",
    `mkdir "$0/data" "$0/run"
     chown ${NOBODY} "$0/data" "$0/run"
     mount -t tmpfs -o size=4k,mode=1777 tmpfs /dev/shm
     head -c 4096 /dev/zero > /dev/shm/full
     mount --bind /tmp /tmp
     mount --bind "$0/data" "$0/data"
     mount --bind "$0/run" "$0/run"
     mount -o remount,bind,ro /tmp
     mount -o remount,bind,ro /
     fails touch "$0/x" /tmp/x /x
     exec ${AS_NOBODY} env -i "$@" --listen "unix:$0/run/coffer.sock"`,
  ],
  [
    "a HOME, a TMPDIR and a compile cache that are not there",
    `mount -t tmpfs -o ro tmpfs /mnt; exec env HOME=/none TMPDIR=/none NODE_COMPILE_CACHE=/mnt/none "$@"`,
  ],
  ["no /proc", `umount -l /proc; fails test -e /proc/self; exec "$@"`],
  ["nothing in /dev", `mount -t tmpfs -o ro tmpfs /dev; fails test -e /dev/null; exec "$@"`],
  ["a working folder that was removed", `mkdir "$0/gone"; cd "$0/gone"; rmdir "$0/gone"; exec "$@"`],
  ["a working folder that it can't enter", `mkdir -m 700 "$0/closed"; cd "$0/closed"; exec ${AS_NOBODY} "$@"`],
  ["neither standard input nor output", `exec "$@" <&- >&-`],
  ["a umask that takes everything", `umask 0777; exec ${AS_NOBODY} "$@"`],
  ["a umask that takes nothing", `umask 0; exec "$@"`],
  ["the locale C and a time zone that nobody knows", `exec env -i LC_ALL=C TZ=No/Where "$@"`],
];

describe("serve needs nothing of", { skip }, () => {
  for (const [what, script] of SERVED) {
    it(what, async () => {
      if (script.includes(AS_NOBODY)) giveAway(site);
      await assertServes({ prefix: surrounded(site, script) });
    });
  }

  // Where the kernel hides other processes and its own tables.
  for (const option of ["subset=pid", "hidepid=2"]) {
    it(`a whole /proc: ${option}`, async () => {
      await assertServes({ prefix: surrounded(site, `mount -t proc -o ${option} proc /proc; exec "$@"`) });
    });
  }
});

/** Puts a list of swap areas in the place of the kernel's, and no cgroup that forbids swap. */
const swapAreas = (...areas: string[]) =>
  `printf 'Filename Type Size Used Priority\\n${areas.join("")}' > "$0/swaps"
   mount --bind "$0/swaps" /proc/swaps
   umount -l /sys/fs/cgroup 2>&- || true
   ulimit -c 0; exec "$@"`;

// Secrets that are swapped are secrets on a disk, and nobody else would tell. Without an area there is nothing to tell.
it("serve warns where its memory may be swapped, and not where it can't", { skip }, async () => {
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

/** Leaves a socket behind, as a server does that does not close it. */
const LEAVE_SOCKET = 'require("net").createServer().listen(process.argv[1], () => process.exit())';

interface Refused {
  readonly what: string;
  readonly script: string;
  readonly said: RegExp;
}

// In each, the one line names the file, what stands in the way and what mends it.
const REFUSED: readonly Refused[] = [
  {
    what: "data that is mounted read-only, with a store in it",
    script: `${READ_ONLY}; exec "$@"`,
    said: /data\/store can't be written: \S+ \(owner uid 0, gid 0, mode 0700\) lies on .* read-only; run: mount -o remount,rw /,
  },
  {
    what: "data that is mounted read-only and empty",
    script: `rm -r "$0/data/store"; ${READ_ONLY}; exec "$@"`,
    said: /data\/store can't be written: \S+data \(owner .*\) lies on .* read-only; run: mount -o remount,rw /,
  },
  {
    what: "a disk without room for a folder",
    script: `mount -t tmpfs -o nr_inodes=1 tmpfs "$0/data"; exec "$@"`,
    said: /data\/store finds no room on the disk of \S+data \(owner .*; run: df -h /,
  },
  {
    what: "a disk without room for a store",
    script: `mount -t tmpfs -o size=4k tmpfs "$0/data"; exec "$@"`,
    said: /coffer\.db finds no room on the disk of \S+store \(owner .*; run: df -h /,
  },
  {
    what: "a relative path when the working folder was removed",
    script: `mkdir "$0/gone"; cd "$0/gone"; rmdir "$0/gone"; exec "$@" --data data`,
    said: /^coffer: data can't be made: \. does not exist$/m,
  },
  {
    what: "a socket in a folder that is not there",
    script: `exec "$@" --listen "unix:$0/none/coffer.sock"`,
    said: /none\/coffer\.sock: \S+none does not exist; run: install -d -o 0 \S+none$/m,
  },
  {
    what: "a socket in a folder that is closed to it",
    script: `mkdir -m 755 "$0/closed"; chown -R 21011 "$0/data"; exec ${AS_NOBODY} "$@" --listen "unix:$0/closed/coffer.sock"`,
    said: /closed is denied to uid 21011 \(EACCES\) by \S+closed \(owner uid 0, gid 0, mode 0755\); run: chown 21011 /,
  },
  {
    what: "a socket of somebody else's",
    script: `mkdir -m 777 "$0/run"; "$1" -e '${LEAVE_SOCKET}' "$0/run/coffer.sock"
      test -S "$0/run/coffer.sock"
      chmod 600 "$0/run/coffer.sock"
      chown -R 21011 "$0/data"; exec ${AS_NOBODY} "$@" --listen "unix:$0/run/coffer.sock"`,
    said: /coffer\.sock is denied to uid 21011 \(EACCES\) by \S+coffer\.sock \(owner uid 0, gid 0, mode 0600\); run: chown 21011 /,
  },
  {
    what: "a socket in a folder that is mounted read-only",
    script: `mkdir "$0/run"; mount -t tmpfs -o ro tmpfs "$0/run"; exec "$@" --listen "unix:$0/run/coffer.sock"`,
    said: /run can't be written: \S+run \(owner .*\) lies on .* read-only; run: mount -o remount,rw /,
  },
  {
    // libuv cuts the rest off, and would listen elsewhere.
    what: "a socket whose path is longer than the kernel takes",
    script: `exec "$@" --listen "unix:/tmp/${"x".repeat(103)}"`,
    said: /a socket's path has at most 107 bytes, and this one 108/,
  },
  {
    what: "a bundle that it can't read",
    script: `chmod 600 "$0/bundle.pem"; chown 0 "$0/bundle.pem"; chown -R 21011 "$0/data"; exec ${AS_NOBODY} "$@"`,
    said: /bundle\.pem is denied to uid 21011 \(EACCES\) by \S+ \(owner uid 0, gid \d+, mode 0600\); run: chown 21011 /,
  },
];

describe("serve says in one line that it can't be with", { skip }, () => {
  for (const { what, script, said } of REFUSED) {
    it(what, async () => {
      // The control: the same site serves.
      await assertServes({});
      if (script.includes(AS_NOBODY)) giveAway(site);
      const refusal = await site.refusal({ prefix: surrounded(site, script) });
      assert.equal(refusal.code, 2, refusal.stderr);
      assert.match(refusal.stderr, said);
      const lines = unlogged(refusal.stderr);
      assert.equal(lines.length, 1, refusal.stderr);
      assert.match(lines[0]!, /^coffer: /);
    });
  }
});

// Node itself would end with a stack. Its later releases load one file after the other.
const loadsAtOnce = process.versions.node.startsWith("20.");
it("says in one line that it can't be loaded", {
  skip: skip || (!loadsAtOnce && "only Node 20 needs so many files"),
}, async () => {
  await assertServes({});
  const { code, stderr } = await site.refusal({ prefix: surrounded(site, 'ulimit -n 32; exec "$@"') });
  assert.equal(code, 1);
  assert.match(stderr, /^coffer: the program can't be loaded: EMFILE.*\n$/);
});

// The longest path that the kernel takes is taken: the limit above is where it says.
it("serves on a socket whose path has 107 bytes", async () => {
  const path = join(site.folder, "s").padEnd(107, "x");
  await assertServes({ flags: ["--listen", `unix:${path}`] });
});
