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
const OTHER_UID = 65534;

/** A data folder with the store of a stopped server. */
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

/** The command in the message of a refusal. */
function commandOf(refused: StoreRefused | undefined): string {
  return /; run: (.*?)(?: - or, .*)?$/.exec(refused?.message ?? "")?.[1] ?? "false";
}

function mode(path: string): string {
  return (lstatSync(path).mode & 0o777).toString(8);
}

/** Places of a store that was restored into the wrong folder. */
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
  // A missing folder is created, with access for its owner only, whatever the umask.
  it("is created, and no other user can enter its store", () => {
    const data = join(temporaryFolder(), "data");
    const { store, warnings } = prepareDataFolder(data, ext4);
    assert.deepEqual(warnings, []);
    assert.equal(store, join(data, "store"));
    assert.equal(mode(store), "700");
  });

  // Only the owner has access to the files of a store in use, including the log.
  it("contains files with mode 0600", () => {
    const data = temporaryFolder();
    const { journal } = openStore(data);
    const names = readdirSync(join(data, "store"));
    assert.deepEqual(names.sort(), ["coffer.db", "coffer.db-wal"]);
    for (const name of names) assert.equal(mode(join(data, "store", name)), "600");
    journal.close();
  });

  // A mount with an fsGroup gives the group access to all files. The start removes this access, with one line in the
  // log.
  it("loses the permissions that a mount has given a group", () => {
    const { data, store, database } = usedFolder();
    chmodSync(store, 0o2770);
    chmodSync(database, 0o660);
    const { warnings } = prepareDataFolder(data, ext4);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /that a mount had given the group: .*store, .*coffer\.db$/);
    assert.deepEqual([mode(store), mode(database)], ["700", "600"]);
    assert.deepEqual(prepareDataFolder(data, ext4).warnings, []);
  });

  // The data folder can be a mount that another user owns. There is a warning if every user can write it and it is not
  // sticky.
  it("can be writable by every user if it is sticky", () => {
    const data = temporaryFolder();
    chmodSync(data, 0o1777);
    assert.deepEqual(prepareDataFolder(data, ext4).warnings, []);
    chmodSync(data, 0o777);
    assert.match(prepareDataFolder(data, ext4).warnings.join(), /every user can rename.*run: chmod o-w/);
  });

  // Files that every user can read or write can no longer be trusted.
  it("is refused when it is open to every user", () => {
    for (const which of ["store", "database"] as const) {
      const folder = usedFolder();
      assert.equal(
        refusalOf(() => prepareDataFolder(folder.data, ext4)),
        undefined,
      );
      chmodSync(folder[which], which === "store" ? 0o705 : 0o604);
      const refused = refusalOf(() => prepareDataFolder(folder.data, ext4));
      assert.equal(refused?.refusal, "open to every user");
      assert.match(refused?.message ?? "", /owner uid \d+, gid \d+, mode 0[67]0[45].*; run: chmod -R go= .*store$/);
      execFileSync("sh", ["-c", commandOf(refused)]);
      assert.deepEqual(prepareDataFolder(folder.data, ext4).warnings, []);
    }
  });

  // With a link, another user could change the store from outside of the folder. Each refusal names the file, its owner
  // and its mode, and ends with a command. After this command, the store opens with its old content.
  const MISHAPS: readonly (readonly [what: string, mishap: (folder: Folder, elsewhere: string) => void])[] = [
    ["a file in it has a second hard link", ({ database }, elsewhere) => linkSync(database, elsewhere)],
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
    it(`is refused when ${what}, until the command in the refusal was run`, () => {
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

  // If the command removed the link without moving its target, the next start would create a new store.
  it("still has its link when the target can't be moved", () => {
    const { data, store } = usedFolder();
    const [elsewhere, away] = ["elsewhere", "away"].map((name) => join(temporaryFolder(), name)) as [string, string];
    moveBehindLink(store, elsewhere);
    const command = commandOf(refusalOf(() => prepareDataFolder(data, ext4)));
    renameSync(elsewhere, away);
    assert.notEqual(spawnSync("sh", ["-c", command]).status, 0);
    const dangling = refusalOf(() => prepareDataFolder(data, ext4));
    assert.equal(dangling?.refusal, "wrong kind");
    assert.match(dangling?.message ?? "", /is a symbolic link to \S+elsewhere, which does not exist; mount it first$/);
    renameSync(away, elsewhere);
    execFileSync("sh", ["-c", command]);
    assert.deepEqual(prepareDataFolder(data, ext4).warnings, []);
  });

  // A folder that is created instead of a missing mount would be served as a new store. So the refusal of a dangling
  // link suggests no command to create a folder.
  it("is refused when it is a dangling link, without a command", () => {
    const folder = temporaryFolder();
    symlinkSync("unmounted", join(folder, "data"));
    const refused = refusalOf(() => prepareDataFolder(join(folder, "data"), ext4));
    assert.equal(refused?.refusal, "not accessible");
    assert.match(
      refused?.message ?? "",
      /\/data is a symbolic link to \S+\/unmounted, which does not exist; mount it first$/,
    );
    mkdirSync(join(folder, "unmounted"));
    assert.deepEqual(prepareDataFolder(join(folder, "data"), ext4).warnings, []);
  });

  // The test uses a path below a regular file, and a link to itself.
  it("is refused when its path can't be resolved", () => {
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
        new RegExp(`can't be used \\(${code}\\): the last part of its path that can be used is \\S+ \\(owner `),
      );
    }
  });

  // If a store was restored into the wrong folder, the server must not create a new one and become ready with an empty
  // store. The command in the refusal moves the store to its place.
  for (const [what, misplace] of MISPLACED) {
    it(`is refused when its store is ${what}, until the command in the refusal was run`, () => {
      const { data, store, database } = usedFolder();
      const before = readFileSync(database);
      misplace({ data, store, database });
      const refused = refusalOf(() => openStore(data));
      assert.equal(refused?.refusal, "wrong kind");
      assert.match(refused?.message ?? "", /coffer\.db exists: a new store would start empty beside it/);
      execFileSync("sh", ["-c", commandOf(refused)]);
      openStore(data).journal.close();
      assert.deepEqual(readFileSync(database), before);
    });
  }

  it("is refused when --data names the store itself, and when the store has another name", () => {
    const { data, store } = usedFolder();
    assert.match(refusalOf(() => openStore(store))?.message ?? "", new RegExp(`; use --data ${data}$`));
    renameSync(store, `${store}.before`);
    assert.match(
      refusalOf(() => openStore(data))?.message ?? "",
      /; if that is the store, rename its folder to store$/,
    );
    renameSync(`${store}.before`, store);
    openStore(data).journal.close();
  });

  it("is refused when it or its store is not a folder", () => {
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

  // The parent must exist, so that a misspelt path does not create an empty store in a new place.
  it("is refused when its parent does not exist", () => {
    const refused = refusalOf(() => prepareDataFolder(join(temporaryFolder(), "no", "data"), ext4));
    assert.equal(refused?.refusal, "not accessible");
    assert.match(refused?.message ?? "", /\/no does not exist; run: install -d -o \d+ \S+\/no$/);
  });

  // A server that ends removes its log, possibly after this process has listed the folder.
  it("accepts that a listed file no longer exists", () => {
    assert.equal(tightenEntry(join(temporaryFolder(), "coffer.db-wal"), "file"), undefined);
  });

  // Even root must not use the files of another user: a new log would belong to root, and the owner could not open it.
  it("is refused when it belongs to another user", { skip: !asRoot && "needs root" }, () => {
    for (const which of ["store", "database"] as const) {
      const folder = usedFolder();
      chownSync(folder[which], OTHER_UID, OTHER_UID);
      const refused = refusalOf(() => prepareDataFolder(folder.data, ext4));
      assert.equal(refused?.refusal, "wrong owner");
      assert.match(refused?.message ?? "", /owner uid 65534, gid 65534, mode 0[67]00.*; run: chown -R 0 .*store$/);
      execFileSync("sh", ["-c", commandOf(refused)]);
      assert.deepEqual(prepareDataFolder(folder.data, ext4).warnings, []);
    }
  });

  // The process is neither root nor the owner of a folder, and its group has no access. The command in a refusal gives
  // it the data folder, which belongs to the server. For a parent folder there is no command. No refusal occurs twice.
  it("is refused to a user without access, until the commands in the refusals were run", {
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
        assert.match(message, /allow this user to enter it, or use another folder/);
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
    ["an unknown type", 0x12345678, "doubtful"],
    ["nfs", 0x6969, "unsuitable"],
    ["cifs", 0xff534d42, "unsuitable"],
    ["fuse", 0x65735546, "unsuitable"],
    ["9p", 0x01021997, "unsuitable"],
  ];

  // Local disks are accepted. A file system that is lost with its container causes a warning. A file system with
  // unreliable locks is refused.
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
