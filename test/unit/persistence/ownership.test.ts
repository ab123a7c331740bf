import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Ownership } from "../../../src/persistence/ownership.ts";
import { temporaryFolder } from "../../support/persistence-kit.ts";

/** A process in a folder that has the files of /proc: its descriptor 7 is a locked database, and 8 another file. */
class ShownProcess {
  readonly folder = temporaryFolder();
  readonly database = join(this.folder, "coffer.db");
  readonly info = join(this.folder, "fdinfo", "7");

  constructor() {
    const other = join(this.folder, "other");
    for (const file of [this.database, other]) writeFileSync(file, "");
    for (const name of ["fd", "fdinfo"]) mkdirSync(join(this.folder, name));
    symlinkSync(this.database, join(this.folder, "fd", "7"));
    symlinkSync(other, join(this.folder, "fd", "8"));
    this.show(this.lockOf(this.database));
    writeFileSync(join(this.folder, "fdinfo", "8"), `${this.lockOf(other)}\n`);
  }

  /** The line of a lock on a file, as in proc_pid_fdinfo(5). */
  lockOf(file: string): string {
    return `lock:\t1: POSIX  ADVISORY  WRITE 4711 fe:00:${statSync(file).ino} 1073741824 1073742335`;
  }

  /** Changes the info of the database's descriptor. */
  show(...lines: readonly string[]): void {
    writeFileSync(this.info, ["pos:\t0", "flags:\t02500002", ...lines, ""].join("\n"));
  }
}

describe("the ownership of a database", () => {
  // The database is at its path, and its descriptor has the lock, also beside other locks.
  it("is not lost while the kernel shows the lock", () => {
    const shown = new ShownProcess();
    const ownership = new Ownership(shown.database, shown.folder);
    assert.equal(ownership.loss(), undefined);
    shown.show("lock:\t1: FLOCK  ADVISORY  WRITE 4711 fe:00:1 0 EOF", shown.lockOf(shown.database));
    assert.equal(ownership.loss(), undefined);
  });

  // The descriptor has no lock, or was closed, or its number belongs to another file, which is locked.
  it("is lost when the lock is gone, or its descriptor", () => {
    const losses: readonly [string, (shown: ShownProcess) => void][] = [
      ["no lock", (shown) => shown.show()],
      ["a lock of another kind", (shown) => shown.show(shown.lockOf(shown.database).replace("POSIX ", "FLOCK "))],
      ["another file", (shown) => shown.show(shown.lockOf(join(shown.folder, "other")))],
      ["no descriptor", ({ info }) => rmSync(info)],
    ];
    for (const [name, lose] of losses) {
      const shown = new ShownProcess();
      const ownership = new Ownership(shown.database, shown.folder);
      lose(shown);
      assert.match(ownership.loss() ?? "", /^the lock on \S+coffer\.db is lost$/, name);
    }
  });

  // A loss ends the server. It must not end because the kernel no longer shows anything, or because nothing was shown when
  // it started.
  it("is not lost when the kernel does not show the locks", () => {
    const shown = new ShownProcess();
    const ownership = new Ownership(shown.database, shown.folder);
    renameSync(join(shown.folder, "fdinfo"), join(shown.folder, "unmounted"));
    assert.equal(ownership.loss(), undefined, "/proc was unmounted");
    mkdirSync(shown.info, { recursive: true });
    assert.equal(ownership.loss(), undefined, "the info can't be read");
    assert.equal(new Ownership(shown.database, join(shown.folder, "nothing")).loss(), undefined);
  });

  // A process can inherit a descriptor of a file system that no longer answers. A start must not fail because of it.
  it("is found beside a descriptor whose file can't be examined", () => {
    const shown = new ShownProcess();
    symlinkSync("6", join(shown.folder, "fd", "6")); // ELOOP stands for ESTALE
    const ownership = new Ownership(shown.database, shown.folder);
    assert.equal(ownership.loss(), undefined);
    shown.show();
    assert.match(ownership.loss() ?? "", /is lost/);
  });
});
