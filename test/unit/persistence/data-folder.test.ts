import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { prepareDataFolder } from "../../../src/persistence/data-folder.ts";
import { fileSystemSuitability } from "../../../src/persistence/file-system-kind.ts";
import { inChild, openStore, refusalKind, refusalOf, temporaryFolder } from "./kit.ts";

const ext4 = () => 0xef53;
const asRoot = process.geteuid?.() === 0;
const SOMEBODY = 65534;

/** A data folder with a store in it, as a server leaves it. */
function usedFolder(): { data: string; store: string; database: string } {
  const data = temporaryFolder();
  openStore(data).journal.close();
  return { data, store: join(data, "store"), database: join(data, "store", "coffer.db") };
}

function mode(path: string): string {
  return (lstatSync(path).mode & 0o777).toString(8);
}

describe("a data folder", () => {
  // What is missing is made, closed to everybody else, whatever the umask.
  it("is made, and nobody else may enter it", () => {
    const data = join(temporaryFolder(), "data");
    const { store, warnings } = prepareDataFolder(data, ext4);
    assert.deepEqual(warnings, []);
    assert.equal(store, join(data, "store"));
    assert.equal(mode(store), "700");
  });

  // The files of a store that is in use are for its owner alone, the log included.
  it("holds files of mode 0600", () => {
    const data = temporaryFolder();
    const { journal } = openStore(data);
    const names = readdirSync(join(data, "store"));
    assert.deepEqual(names.sort(), ["coffer.db", "coffer.db-wal"]);
    for (const name of names) assert.equal(mode(join(data, "store", name)), "600");
    journal.close();
  });

  // A mount that opens everything to a group, as fsGroup does, is mended with one line in the log.
  it("is closed again when a mount has opened it to a group", () => {
    const { data, store, database } = usedFolder();
    chmodSync(store, 0o2770);
    chmodSync(database, 0o660);
    const { warnings } = prepareDataFolder(data, ext4);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /closed to the group.*store, .*coffer\.db$/);
    assert.deepEqual([mode(store), mode(database)], ["700", "600"]);
    assert.deepEqual(prepareDataFolder(data, ext4).warnings, []);
  });

  // A folder of somebody else's above, as a mount is, is no obstacle; under a sticky one no warning either.
  it("may lie in a folder that everybody writes, if it is sticky", () => {
    const data = temporaryFolder();
    chmodSync(data, 0o1777);
    assert.deepEqual(prepareDataFolder(data, ext4).warnings, []);
    chmodSync(data, 0o777);
    assert.match(prepareDataFolder(data, ext4).warnings.join(), /everybody may rename.*chmod o-w/);
  });

  // Whatever everybody may read or write can't be trusted any more.
  it("is refused when it is open to everybody", () => {
    for (const which of ["store", "database"] as const) {
      const folder = usedFolder();
      assert.equal(
        refusalOf(() => prepareDataFolder(folder.data, ext4)),
        undefined,
      );
      chmodSync(folder[which], which === "store" ? 0o705 : 0o604);
      const refused = refusalOf(() => prepareDataFolder(folder.data, ext4));
      assert.equal(refused?.refusal, "open to everybody");
      assert.match(refused?.message ?? "", /uid \d+, mode 0[67]0[45].* chmod -R go= .*store$/);
    }
  });

  // A second name would let somebody change the store from outside of the folder.
  it("is refused when a file in it is a link", () => {
    const { data, store, database } = usedFolder();
    const elsewhere = join(temporaryFolder(), "other.db");
    linkSync(database, elsewhere);
    assert.equal(
      refusalKind(() => prepareDataFolder(data, ext4)),
      "wrong kind",
    );
    unlinkSync(elsewhere);
    assert.equal(
      refusalKind(() => prepareDataFolder(data, ext4)),
      undefined,
    );
    symlinkSync(database, join(store, "coffer.db-wal"));
    assert.equal(
      refusalKind(() => prepareDataFolder(data, ext4)),
      "wrong kind",
    );
  });

  it("is refused when its store is a link, or no folder", () => {
    const data = temporaryFolder();
    symlinkSync(temporaryFolder(), join(data, "store"));
    assert.equal(
      refusalKind(() => prepareDataFolder(data, ext4)),
      "wrong kind",
    );
    unlinkSync(join(data, "store"));
    writeFileSync(join(data, "store"), "");
    assert.equal(
      refusalKind(() => prepareDataFolder(data, ext4)),
      "wrong kind",
    );
    assert.equal(
      refusalKind(() => prepareDataFolder(join(data, "store"), ext4)),
      "wrong kind",
    );
  });

  // The parent must be there: a misspelt path must not become an empty store somewhere new.
  it("is refused when its parent does not exist", () => {
    const refused = refusalOf(() => prepareDataFolder(join(temporaryFolder(), "no", "data"), ext4));
    assert.equal(refused?.refusal, "not accessible");
    assert.match(refused?.message ?? "", /does not exist$/);
  });

  // Somebody else's files are not ours to use, even for root: the log would become root's, and lock the owner out.
  it("is refused when it belongs to somebody else", { skip: !asRoot && "needs root" }, () => {
    for (const which of ["store", "database"] as const) {
      const folder = usedFolder();
      chownSync(folder[which], SOMEBODY, SOMEBODY);
      const refused = refusalOf(() => prepareDataFolder(folder.data, ext4));
      assert.equal(refused?.refusal, "wrong owner");
      assert.match(refused?.message ?? "", /uid 65534, mode 0[67]00.*; run: chown -R 0 .*store$/);
    }
  });

  // Kubernetes: the volume is root's, its group may write, and the server is neither root nor the owner.
  it("may be a mount that root owns", { skip: !asRoot && "needs root" }, () => {
    const parent = temporaryFolder();
    chmodSync(parent, 0o755);
    const data = join(parent, "data");
    mkdirSync(data);
    chownSync(data, 0, 2000);
    chmodSync(data, 0o2770);
    const asSomebody = (groups: string) =>
      inChild(
        data,
        `process.setgroups(${groups}); process.setgid(65534); process.setuid(65534);
        const refused = refusalOf(() => {
          const { journal, warnings } = openStore(data);
          console.log("opened", warnings.length);
          journal.close();
        });
        if (refused) console.log(refused.refusal, refused.message);`,
      );
    assert.match(asSomebody("[]").stdout, /^not accessible.*belongs to uid 0, gid 2000 and has mode 2770/);
    assert.equal(asSomebody("[2000]").stdout, "opened 0\n");
    assert.equal(asSomebody("[2000]").stdout, "opened 0\n");
  });
});

describe("the file system under a data folder", () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ["ext4", 0xef53, "suitable"],
    ["xfs", 0x58465342, "suitable"],
    ["btrfs", 0x9123683e, "suitable"],
    ["btrfs, signed", 0x9123683e | 0, "suitable"],
    ["tmpfs", 0x01021994, "doubtful"],
    ["overlay", 0x794c7630, "doubtful"],
    ["something new", 0x12345678, "doubtful"],
    ["nfs", 0x6969, "unsuitable"],
    ["cifs", 0xff534d42, "unsuitable"],
    ["fuse", 0x65735546, "unsuitable"],
    ["9p", 0x01021997, "unsuitable"],
  ];

  // Local disks pass, what vanishes with its container is a warning, what locks badly is refused.
  for (const [name, type, expected] of cases) {
    it(`is ${expected}: ${name}`, () => {
      assert.equal(fileSystemSuitability(type).kind, expected);
      const data = temporaryFolder();
      const refusal = refusalKind(() => prepareDataFolder(data, () => type));
      assert.equal(refusal, expected === "unsuitable" ? "unsuitable file system" : undefined);
      if (refusal !== undefined) return;
      assert.equal(prepareDataFolder(data, () => type).warnings.length, expected === "doubtful" ? 1 : 0);
    });
  }
});
