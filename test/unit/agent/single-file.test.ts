import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { WantedFile } from "../../../src/agent/destination.ts";
import { machineFiles } from "../../../src/agent/file-system.ts";
import { SingleFile } from "../../../src/agent/single-file.ts";
import { Killed, crashingFiles } from "../../support/crashing-files.ts";
import { fullFiles, smallFiles } from "../../support/full-files.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffer-file-"));
  path = join(folder, "key");
});
afterEach(() => rmSync(folder, { recursive: true }));

function wanted(value: string, mode = 0o400): WantedFile[] {
  return [{ name: "key", content: Buffer.from(value), rights: { mode, owner: undefined, group: undefined } }];
}

describe("a single file on a full file system", () => {
  // A partly written file would take the space that other targets need.
  it("stays as it is, and leaves nothing of the new content", () => {
    new SingleFile(path, machineFiles).replace(wanted("one"), false);
    const full = { code: "ENOSPC", syscall: "write" };
    assert.throws(() => new SingleFile(path, smallFiles).replace(wanted("two"), true), full);
    assert.equal(readFileSync(path, "utf8"), "one");
    assert.deepEqual(readdirSync(folder), ["key"]);
  });

  // Otherwise it would outlive remove_after_outage, and a user who may write to the file system could keep it.
  it("is removed, and marked afterwards", () => {
    new SingleFile(path, machineFiles).replace(wanted("one"), false);
    const file = new SingleFile(path, fullFiles());
    assert.throws(() => file.replace(wanted("two"), true), { code: "ENOSPC" }, "the control");
    assert.equal(readFileSync(path, "utf8"), "one");
    file.replace([], true);
    assert.deepEqual(readdirSync(folder), [".key.coffer-pending"]);
    assert.ok(file.isMarked());
  });
});

describe("a single file", () => {
  it("is created with its folders, replaced, and removed", () => {
    path = join(folder, "deep", "er", "key");
    const file = new SingleFile(path, machineFiles);
    for (const value of ["one", "two"]) {
      file.replace(wanted(value), false);
      assert.equal(readFileSync(path, "utf8"), value);
      assert.equal(statSync(path).mode & 0o7777, 0o400);
      assert.ok(file.holds(wanted(value)));
      assert.ok(!file.holds(wanted("other")));
      assert.ok(!file.holds(wanted(value, 0o440)));
    }
    assert.ok(!file.holds([]));
    file.replace([], false);
    assert.ok(file.holds([]));
    assert.deepEqual(readdirSync(join(folder, "deep", "er")), []);
  });

  // A user who may write to the directory could otherwise stop the agent, with all its targets.
  it("does not wait for a pipe in the place of the mark", () => {
    const mark = join(folder, ".key.coffer-pending");
    execFileSync("mkfifo", [mark]);
    const file = new SingleFile(path, machineFiles);
    assert.throws(() => file.replace(wanted("x"), true), { code: "ENXIO", path: mark });
    // The control: without the pipe, the same call succeeds.
    rmSync(mark);
    file.replace(wanted("x"), true);
    assert.ok(file.isMarked());
    assert.ok(file.holds(wanted("x")));
  });

  it("does not follow a link that replaces the file while it is compared", () => {
    const elsewhere = join(folder, "elsewhere");
    writeFileSync(elsewhere, "x", { mode: 0o400 });
    writeFileSync(path, "x", { mode: 0o400 });
    assert.ok(new SingleFile(path, machineFiles).holds(wanted("x")), "the control");
    const lstatSync = ((at: string) => {
      const stats = machineFiles.lstatSync(at);
      rmSync(at);
      symlinkSync(elsewhere, at);
      return stats;
    }) as typeof machineFiles.lstatSync;
    const file = new SingleFile(path, { ...machineFiles, lstatSync });
    assert.throws(() => file.holds(wanted("x")), { code: "ELOOP" });
  });

  it("does not replace a link or a folder", () => {
    const elsewhere = join(folder, "elsewhere");
    writeFileSync(elsewhere, "mine");
    symlinkSync(elsewhere, path);
    const problem = { name: "DestinationProblem", message: /is not a regular file/ };
    assert.throws(() => new SingleFile(path, machineFiles).replace(wanted("x"), false), problem);
    assert.throws(() => new SingleFile(path, machineFiles).replace([], false), problem);
    rmSync(path);
    mkdirSync(path);
    assert.throws(() => new SingleFile(path, machineFiles).replace(wanted("x"), false), problem);
    assert.equal(readFileSync(elsewhere, "utf8"), "mine");
  });

  it("is the old one or the new one after every call of a writer that is killed", () => {
    let steps = 0;
    const states = new Set<string>();
    const writeUntil = (survived: number) => {
      new SingleFile(path, machineFiles).replace(wanted("old"), false);
      writeFileSync(join(folder, ".key.coffer-backup"), "mine");
      try {
        new SingleFile(path, crashingFiles(survived).files).replace(wanted("a new one"), true);
        return false;
      } catch (error) {
        assert.ok(error instanceof Killed, String(error));
        return true;
      }
    };
    while (writeUntil(steps)) {
      const found = readFileSync(path, "utf8");
      states.add(found);
      assert.ok(found === "old" || found === "a new one", found);
      const next = new SingleFile(path, machineFiles);
      if (next.holds(wanted("a new one"))) assert.ok(next.isMarked(), "the command is due");
      else next.replace(wanted("a new one"), true);
      next.complete();
      next.unmark();
      // The temporary file with the secret is removed, and another file with a similar name is not.
      assert.deepEqual(readdirSync(folder).sort(), [".key.coffer-backup", "key"]);
      rmSync(path);
      steps += 1;
    }
    assert.ok(steps > 5, `${steps} steps`);
    assert.ok(states.has("old"));
  });
});
