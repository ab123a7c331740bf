import assert from "node:assert/strict";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { WantedFile } from "../../../src/agent/destination.ts";
import { FileSet } from "../../../src/agent/file-set.ts";
import { type FileSystem, machineFiles } from "../../../src/agent/file-system.ts";
import { Killed, crashingFiles } from "../../support/crashing-files.ts";
import { fullFiles, smallFiles } from "../../support/full-files.ts";

const clock = () => Date.UTC(2026, 10, 26, 17, 5, 12);

let folder: string;
let directory: string;
beforeEach(() => {
  folder = mkdtempSync("/dev/shm/coffer-set-");
  directory = join(folder, "set");
});
afterEach(() => rmSync(folder, { recursive: true }));

const setWith = (files: FileSystem = machineFiles) => new FileSet({ directory, files, clock });

function wanted(values: Readonly<Record<string, string>>, mode = 0o400): WantedFile[] {
  const rights = { mode, owner: undefined, group: undefined };
  return Object.entries(values).map(([name, value]) => ({ name, content: Buffer.from(value), rights }));
}

/** The files of the set, as a reader finds them that resolves the link once; undefined if there is no set. */
function readSet(): Record<string, string> | undefined {
  let data: string;
  try {
    data = join(directory, readlinkSync(join(directory, "..data")));
  } catch {
    return undefined;
  }
  return Object.fromEntries(readdirSync(data).map((name) => [name, readFileSync(join(data, name), "utf8")]));
}

/** What a reader finds that opens the names in the directory. */
function readNames(): Record<string, string> {
  const names = readdirSync(directory).filter((name) => !name.startsWith(".."));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name), "utf8")]));
}

const foldersOfSets = () => readdirSync(directory).filter((name) => /^\.\.\d/.test(name));

describe("a set of files on a full file system", () => {
  // The files of a partly written set would take the space that other targets need.
  it("stays as it is, and leaves nothing of the new set", () => {
    setWith().replace(wanted({ user: "a" }), false);
    const full = { code: "ENOSPC", syscall: "write" };
    assert.throws(() => setWith(smallFiles).replace(wanted({ user: "bb" }), true), full);
    assert.deepEqual(readSet(), { user: "a" });
    assert.deepEqual(readNames(), { user: "a" });
    assert.equal(foldersOfSets().length, 1);
  });

  // Otherwise the files would outlive remove_after_outage, and a user who may write to the file system could keep them.
  it("is removed, and marked afterwards", () => {
    setWith().replace(wanted({ user: "a" }), false);
    const set = setWith(fullFiles());
    assert.throws(() => set.replace(wanted({ user: "bb" }), true), { code: "ENOSPC" }, "the control");
    assert.deepEqual(readNames(), { user: "a" });
    set.replace([], true);
    assert.deepEqual(readdirSync(directory), ["..pending"]);
    assert.ok(set.holds([]));
    assert.ok(set.isMarked());
  });
});

describe("a set of files", () => {
  // Otherwise a user who may write to the directory could open any folder of the agent's user, such as /root.
  it("does not change the mode of a folder to which a link leads", () => {
    const victim = join(folder, "victim");
    mkdirSync(victim, { mode: 0o700 });
    const modeOf = (path: string) => statSync(path).mode & 0o7777;
    // Replaces the new folder by a link, when its only file is complete.
    const replacesFolder: FileSystem = {
      ...machineFiles,
      closeSync: (descriptor) => {
        machineFiles.closeSync(descriptor);
        for (const name of foldersOfSets()) {
          renameSync(join(directory, name), join(folder, "taken"));
          symlinkSync(victim, join(directory, name));
        }
      },
    };
    assert.throws(() => setWith(replacesFolder).replace(wanted({ user: "a" }), false), { code: "ENOTDIR" });
    assert.equal(modeOf(victim), 0o700);
    // The control: the next attempt opens its own folder.
    setWith().replace(wanted({ user: "a" }), false);
    assert.deepEqual(
      foldersOfSets().map((name) => modeOf(join(directory, name))),
      [0o755],
    );
    assert.deepEqual(readSet(), { user: "a" });
  });

  it("has each file as a link through ..data, with the mode that is wanted", () => {
    setWith().replace(wanted({ user: "a", "tls.key": "b" }), false);
    assert.deepEqual(readNames(), { user: "a", "tls.key": "b" });
    assert.equal(readlinkSync(join(directory, "tls.key")), "..data/tls.key");
    assert.equal(statSync(join(directory, "tls.key")).mode & 0o7777, 0o400);
    assert.match(readlinkSync(join(directory, "..data")), /^\.\.2026_11_26_17_05_12\.\w{6}$/);
    // Other users may enter the folder. The mode of each file decides who reads it.
    assert.equal(statSync(join(directory, "..data")).mode & 0o777, 0o755);
  });

  it("removes the folder of the earlier set, and the names that are not in the new one", () => {
    const set = setWith();
    set.replace(wanted({ a: "1", b: "1" }), false);
    set.replace(wanted({ b: "2", c: "2" }), false);
    assert.deepEqual(readNames(), { b: "2", c: "2" });
    assert.equal(foldersOfSets().length, 1);
    set.replace([], false);
    assert.deepEqual(readNames(), {});
    assert.ok(set.holds([]));
  });

  // A restarted agent compares: what is right is neither written again nor reported as a change.
  it("holds exactly the files with this content, these names and these rights", () => {
    const set = setWith();
    const files = wanted({ a: "1", b: "2" });
    assert.ok(!set.holds(files));
    assert.ok(set.holds([]), "no set is an empty set");
    set.replace(files, false);
    const { calls, files: recorded } = crashingFiles();
    assert.ok(setWith(recorded).holds(files));
    setWith(recorded).complete(files);
    assert.deepEqual(calls, [], "nothing is written");
    for (const others of [{ a: "1" }, { a: "1", b: "3" }, { a: "1", b: "2", c: "" }, { a: "1", c: "2" }, {}]) {
      assert.ok(!set.holds(wanted(others)), JSON.stringify(others));
    }
    assert.ok(!set.holds(wanted({ a: "1", b: "2" }, 0o440)));
  });

  it("never changes what is not its own", () => {
    mkdirSync(directory);
    writeFileSync(join(directory, "app.conf"), "mine");
    symlinkSync("app.conf", join(directory, "link"));
    mkdirSync(join(directory, "..2026_01_01_00_00_00.123456789"));
    const set = setWith();
    for (const name of ["app.conf", "link"]) {
      const problem = { name: "DestinationProblem", message: /exists and is not a file of the agent/ };
      assert.throws(() => set.replace(wanted({ [name]: "secret" }), false), problem);
    }
    assert.deepEqual(readSet(), undefined, "nothing was written");
    set.replace(wanted({ key: "secret" }), false);
    set.replace([], false);
    assert.equal(readFileSync(join(directory, "app.conf"), "utf8"), "mine");
    assert.equal(readlinkSync(join(directory, "link")), "app.conf");
    assert.ok(lstatSync(join(directory, "..2026_01_01_00_00_00.123456789")).isDirectory());
  });

  it("refuses a directory of Kubernetes, whose link ..data leads to a folder with another name", () => {
    mkdirSync(join(directory, "..2026_01_01_00_00_00.123456789"), { recursive: true });
    symlinkSync("..2026_01_01_00_00_00.123456789", join(directory, "..data"));
    const problem = { name: "DestinationProblem", message: /is not a link of the agent/ };
    assert.throws(() => setWith().holds([]), problem);
    assert.throws(() => setWith().replace(wanted({ a: "1" }), false), problem);
  });

  for (const name of ["", ".", "..", "..data", "a/b", "a\nb", "x".repeat(254)]) {
    it(`does not allow the name ${JSON.stringify(name.slice(0, 10))}`, () => assert.ok(!FileSet.isAllowed(name)));
  }
  for (const name of ["a", ".env", "tls.key", "A_b-1"]) {
    it(`allows the name ${name}`, () => assert.ok(FileSet.isAllowed(name)));
  }

  // The mark is made before the files change. So, whenever a process is killed, the command may run once more than
  // necessary, but is never missed.
  it("is marked from the change on, until the mark is removed", () => {
    const set = setWith();
    set.replace(wanted({ a: "1" }), true);
    assert.ok(set.isMarked());
    assert.ok(setWith().isMarked(), "also for the next process");
    set.unmark();
    assert.ok(!set.isMarked());
    set.replace(wanted({ a: "2" }), false);
    assert.ok(!set.isMarked());
  });
});

describe("a set of files whose writer is killed", () => {
  const before = { a: "old", b: "old", gone: "old" };
  const after = { a: "new", b: "new", added: "new" };

  /** Writes the old set, and then the new one until the writer is killed. Returns whether it was killed. */
  function writeUntil(survived: number): boolean {
    setWith().replace(wanted(before), false);
    try {
      setWith(crashingFiles(survived).files).replace(wanted(after), true);
      return false;
    } catch (error) {
      assert.ok(error instanceof Killed, String(error));
      return true;
    }
  }

  it("is the old set or the new one after every call, and the next writer completes it", () => {
    let steps = 0;
    const states = new Set<string>();
    while (writeUntil(steps)) {
      const found = JSON.stringify(readSet());
      states.add(found);
      const isNew = found === JSON.stringify(Object.fromEntries(Object.entries(after).sort()));
      assert.ok(isNew || found === JSON.stringify(before), `after ${steps} calls: ${found}`);
      const next = setWith();
      assert.equal(next.holds(wanted(after)), isNew);
      if (isNew) {
        assert.ok(next.isMarked(), `after ${steps} calls, the command is due`);
        next.complete(wanted(after));
      } else next.replace(wanted(after), true);
      assert.deepEqual(readNames(), after, `after ${steps} calls`);
      assert.deepEqual(readdirSync(directory).filter((name) => /^\.\.(?!data$|pending$)/.test(name)).length, 1);
      rmSync(directory, { recursive: true });
      steps += 1;
    }
    assert.ok(steps > 20, `${steps} steps`);
    assert.equal(states.size, 2, "the writer was killed before and after the swap");
  });

  it("is the old set or none after every call of its removal, and the next writer completes it", () => {
    const removeUntil = (survived: number): boolean => {
      setWith().replace(wanted(before), false);
      try {
        setWith(crashingFiles(survived).files).replace([], true);
        return false;
      } catch (error) {
        assert.ok(error instanceof Killed, String(error));
        return true;
      }
    };
    const states = new Set<boolean>();
    for (let steps = 0; removeUntil(steps); steps++) {
      const isGone = readSet() === undefined;
      states.add(isGone);
      if (!isGone) assert.deepEqual(readSet(), before, `after ${steps} calls`);
      const next = setWith();
      assert.equal(next.holds([]), isGone);
      if (isGone) {
        assert.ok(next.isMarked(), `after ${steps} calls, the command is due`);
        next.complete([]);
      } else next.replace([], true);
      assert.deepEqual(readdirSync(directory), ["..pending"], `after ${steps} calls`);
      rmSync(directory, { recursive: true });
    }
    assert.equal(states.size, 2, "the writer was killed before and after the removal");
  });

  /** A writer does with a set what the agent does, and is killed after some calls. Returns whether it was killed. */
  function settleUntil(survived: number): boolean {
    const set = setWith(crashingFiles(survived).files);
    try {
      if (set.holds(wanted(after))) set.complete(wanted(after));
      else set.replace(wanted(after), true);
      return false;
    } catch (error) {
      assert.ok(error instanceof Killed, String(error));
      return true;
    }
  }

  // What a killed writer has left must not confuse the next one, wherever that one is killed.
  it("is the old set or the new one if the next writer is killed as well", () => {
    let pairs = 0;
    for (let first = 0; writeUntil(first); first += 3) {
      for (let second = first % 2; settleUntil(second); second += 2) {
        const found = JSON.stringify(readSet());
        const isNew = found === JSON.stringify(Object.fromEntries(Object.entries(after).sort()));
        assert.ok(isNew || found === JSON.stringify(before), `after ${first} and ${second} calls: ${found}`);
        pairs += 1;
      }
      assert.ok(setWith().isMarked());
      assert.deepEqual(readNames(), after);
      assert.equal(foldersOfSets().length, 1);
      rmSync(directory, { recursive: true });
    }
    assert.ok(pairs > 50, `${pairs} pairs`);
  });
});
