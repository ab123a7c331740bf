import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { prepareDataFolder } from "../../../src/persistence/data-folder.ts";
import { fileSystemSuitability } from "../../../src/persistence/file-system-kind.ts";
import { tightenEntry } from "../../../src/persistence/own-entry.ts";
import { StoreRefused } from "../../../src/persistence/store-refused.ts";
import { inChild, openStore, refusalKind, refusalOf, temporaryFolder } from "../../support/persistence-kit.ts";

const ext4 = () => 0xef53;
const asRoot = process.geteuid?.() === 0;
const SOMEBODY = 65534;

/** A data folder with a store in it, as a server leaves it. */
function usedFolder(): { data: string; store: string; database: string } {
  const data = temporaryFolder();
  openStore(data).journal.close();
  return { data, store: join(data, "store"), database: join(data, "store", "coffer.db") };
}

type Folder = ReturnType<typeof usedFolder>;

function moveBehindLink(path: string, elsewhere: string): void {
  renameSync(path, elsewhere);
  symlinkSync(elsewhere, path);
}

/** What a refusal tells its reader to run. */
function commandOf(refused: StoreRefused | undefined): string {
  return /; run: (.*?)(?: - or, .*)?$/.exec(refused?.message ?? "")?.[1] ?? "false";
}

function mode(path: string): string {
  return (lstatSync(path).mode & 0o777).toString(8);
}

/** Where a store ends up when it is restored into the wrong folder. */
const MISPLACED: readonly (readonly [what: string, misplace: (folder: Folder) => void])[] = [
  [
    "one level too deep",
    ({ data, store }) => {
      renameSync(store, join(data, "deep"));
      mkdirSync(store, { mode: 0o700 });
      renameSync(join(data, "deep"), join(store, "store"));
    },
  ],
  [
    "one level too high",
    ({ data, store, database }) => {
      renameSync(database, join(data, "coffer.db"));
      rmSync(store, { recursive: true });
    },
  ],
];

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
      assert.match(refused?.message ?? "", /owner uid \d+, gid \d+, mode 0[67]0[45].*; run: chmod -R go= .*store$/);
      execFileSync("sh", ["-c", commandOf(refused)]);
      assert.deepEqual(prepareDataFolder(folder.data, ext4).warnings, []);
    }
  });

  // A second name would let somebody change the store from outside of the folder. Each refusal names its file, owner and
  // mode, and ends with a command; who runs that command has the store back, with what was in it.
  const MISHAPS: readonly (readonly [what: string, mishap: (folder: Folder, elsewhere: string) => void])[] = [
    ["a file in it has a second name", ({ database }, elsewhere) => linkSync(database, elsewhere)],
    ["a file in it is a link", ({ database }, elsewhere) => moveBehindLink(database, elsewhere)],
    ["its store is a link", ({ store }, elsewhere) => moveBehindLink(store, elsewhere)],
    [
      "its store is a link to a link",
      ({ store }, elsewhere) => {
        moveBehindLink(store, elsewhere);
        moveBehindLink(store, `${elsewhere}.link`);
      },
    ],
    ["there is a folder in it", ({ store }) => mkdirSync(join(store, "lost"), { mode: 0o700 })],
  ];
  for (const [what, mishap] of MISHAPS) {
    it(`is refused when ${what}, until the command of the refusal was run`, () => {
      const folder = usedFolder();
      const before = readFileSync(folder.database);
      mishap(folder, join(temporaryFolder(), "else where"));
      const refused = refusalOf(() => prepareDataFolder(folder.data, ext4));
      assert.equal(refused?.refusal, "wrong kind");
      assert.match(refused?.message ?? "", /\(owner uid \d+, gid \d+, mode \d{4}\)/);
      execFileSync("sh", ["-c", commandOf(refused)]);
      assert.deepEqual(prepareDataFolder(folder.data, ext4).warnings, []);
      assert.deepEqual(readFileSync(folder.database), before);
    });
  }

  // With the link gone and nothing in its place, the next start would make a new store, and serve that.
  it("keeps its link when what it leads to can't be fetched", () => {
    const { data, store } = usedFolder();
    const [elsewhere, away] = ["elsewhere", "away"].map((name) => join(temporaryFolder(), name)) as [string, string];
    moveBehindLink(store, elsewhere);
    const command = commandOf(refusalOf(() => prepareDataFolder(data, ext4)));
    renameSync(elsewhere, away);
    assert.notEqual(spawnSync("sh", ["-c", command]).status, 0);
    const dangling = refusalOf(() => prepareDataFolder(data, ext4));
    assert.equal(dangling?.refusal, "wrong kind");
    assert.match(dangling?.message ?? "", /is a symbolic link to \S+elsewhere, which is not there; mount it first$/);
    renameSync(away, elsewhere);
    execFileSync("sh", ["-c", command]);
    assert.deepEqual(prepareDataFolder(data, ext4).warnings, []);
  });

  // A folder made in the place of the disk would be served as a new store; and the folder above is there, whoever's it is.
  it("is refused when it is a link to what is not there, with no folder to be made", () => {
    const folder = temporaryFolder();
    symlinkSync("unmounted", join(folder, "data"));
    const refused = refusalOf(() => prepareDataFolder(join(folder, "data"), ext4));
    assert.equal(refused?.refusal, "not accessible");
    assert.match(
      refused?.message ?? "",
      /\/data is a symbolic link to \S+\/unmounted, which is not there; mount it first$/,
    );
    mkdirSync(join(folder, "unmounted"));
    assert.deepEqual(prepareDataFolder(join(folder, "data"), ext4).warnings, []);
  });

  // As a path that goes on behind a file, or a link that leads to itself.
  it("is refused when there is no way to it", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    symlinkSync("loop", join(folder, "loop"));
    for (const [name, code] of [
      ["file/data", "ENOTDIR"],
      ["loop", "ELOOP"],
    ] as const) {
      const refused = refusalOf(() => prepareDataFolder(join(folder, name), ext4));
      assert.equal(refused?.refusal, "not accessible", name);
      assert.match(
        refused?.message ?? "",
        new RegExp(`can't be used \\(${code}\\): the way to it ends at \\S+ \\(owner `),
      );
    }
  });

  // A store that was restored into a wrong folder must not give way to a new one, which would be empty and ready. The
  // command of the refusal, where there is one, puts it in its place.
  for (const [what, misplace] of MISPLACED) {
    it(`is refused when its store lies ${what}, until that is in its place`, () => {
      const { data, store, database } = usedFolder();
      const before = readFileSync(database);
      misplace({ data, store, database });
      const refused = refusalOf(() => openStore(data));
      assert.equal(refused?.refusal, "wrong kind");
      assert.match(refused?.message ?? "", /coffer\.db is there: a new store would start empty beside it/);
      execFileSync("sh", ["-c", commandOf(refused)]);
      openStore(data).journal.close();
      assert.deepEqual(readFileSync(database), before);
    });
  }

  it("is refused when it is the store itself, or has an older one beside its place", () => {
    const { data, store } = usedFolder();
    assert.match(refusalOf(() => openStore(store))?.message ?? "", new RegExp(`; give --data ${data}$`));
    renameSync(store, `${store}.before`);
    assert.match(
      refusalOf(() => openStore(data))?.message ?? "",
      /; if that is the store, rename its folder to store$/,
    );
    renameSync(`${store}.before`, store);
    openStore(data).journal.close();
  });

  it("is refused when its store, or itself, is no folder", () => {
    const data = temporaryFolder();
    const store = join(data, "store");
    writeFileSync(store, "");
    assert.equal(
      refusalKind(() => prepareDataFolder(store, ext4)),
      "wrong kind",
    );
    const refused = refusalOf(() => prepareDataFolder(data, ext4));
    assert.equal(refused?.refusal, "wrong kind");
    execFileSync("sh", ["-c", commandOf(refused)]);
    assert.deepEqual(prepareDataFolder(data, ext4).warnings, []);
  });

  // The parent must be there: a misspelt path must not become an empty store somewhere new.
  it("is refused when its parent does not exist", () => {
    const refused = refusalOf(() => prepareDataFolder(join(temporaryFolder(), "no", "data"), ext4));
    assert.equal(refused?.refusal, "not accessible");
    assert.match(refused?.message ?? "", /\/no does not exist; run: install -d -o \d+ \S+\/no$/);
  });

  // A server that ends removes its log, perhaps between the list of the folder and the look at the file.
  it("does not mind that a file is gone", () => {
    assert.equal(tightenEntry(join(temporaryFolder(), "coffer.db-wal"), "file"), undefined);
  });

  // Somebody else's files are not ours to use, even for root: the log would become root's, and lock the owner out.
  it("is refused when it belongs to somebody else", { skip: !asRoot && "needs root" }, () => {
    for (const which of ["store", "database"] as const) {
      const folder = usedFolder();
      chownSync(folder[which], SOMEBODY, SOMEBODY);
      const refused = refusalOf(() => prepareDataFolder(folder.data, ext4));
      assert.equal(refused?.refusal, "wrong owner");
      assert.match(refused?.message ?? "", /owner uid 65534, gid 65534, mode 0[67]00.*; run: chown -R 0 .*store$/);
      execFileSync("sh", ["-c", commandOf(refused)]);
      assert.deepEqual(prepareDataFolder(folder.data, ext4).warnings, []);
    }
  });

  // As somebody who is neither root nor an owner, and has no group that helps. The data folder is the server's own, and
  // the command of the refusal gives it that; a folder above is not, and no command opens it. No refusal comes twice.
  it("is refused to who may not enter or write, until the commands of the refusals were run", {
    skip: !asRoot && "needs root",
  }, () => {
    const parent = temporaryFolder();
    const data = join(parent, "data");
    mkdirSync(data, { mode: 0o2770 });
    chownSync(data, 0, 2000);
    const attempt = () =>
      inChild(
        data,
        `process.setgroups([]); process.setgid(65534); process.setuid(65534);
        const refused = refusalOf(() => openStore(data).journal.close());
        console.log(refused ? refused.message : "opened");`,
      ).stdout.trim();
    const said: string[] = [];
    for (let message = attempt(); message !== "opened" && !said.includes(message); message = attempt()) {
      said.push(message);
      if (said.length === 1) {
        assert.match(message, /let this user pass through it, or use another folder/);
        chmodSync(parent, 0o711);
      } else execFileSync("sh", ["-c", commandOf(new StoreRefused("not accessible", message))]);
    }
    assert.equal(statSync(data).mode & 0o007, 0);
    assert.equal(attempt(), "opened");
    assert.deepEqual(
      said.map(
        (message) => /denied to uid 65534 \(EACCES\) by (\S+) \(owner uid 0, gid \d+, mode \d{4}\)/.exec(message)?.[1],
      ),
      [parent, data],
    );
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
