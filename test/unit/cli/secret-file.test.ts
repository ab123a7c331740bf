import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { expectSecretFile, writeSecretFile } from "../../../src/cli/secret-file.ts";

describe("a secret's file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "coffer-cli-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("is readable by its owner alone, and replaces another one", async () => {
    const file = join(folder, "key");
    for (const content of ["one", "two"]) {
      await writeSecretFile(file, Buffer.from(content));
      assert.equal(readFileSync(file, "utf8"), content);
      assert.equal(lstatSync(file).mode & 0o777, 0o400);
    }
    assert.deepEqual(readdirSync(folder), ["key"]);
  });

  // A link was replaced, also one whose place is the machine's: /dev/stdout leads to a file where standard output is
  // redirected, and as root it became a secret file for every program.
  it("takes the place of no link, folder, device or pipe", async () => {
    const elsewhere = join(folder, "elsewhere");
    writeFileSync(elsewhere, "mine");
    mkdirSync(join(folder, "key"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    symlinkSync("elsewhere", join(folder, "link"));
    symlinkSync("nowhere", join(folder, "dangling"));
    for (const [name, why] of [
      ["key", "is not a regular file \\(owner uid \\d+, gid \\d+, mode \\d{4}\\); give another"],
      ["pipe", "is not a regular file .*"],
      ["link", "is a symbolic link, which would be replaced; give the file that it leads to"],
      ["dangling", "is a symbolic link, .*"],
    ] as const) {
      const problem = new RegExp(`^--out ${folder}/${name} ${why}$`);
      await assert.rejects(expectSecretFile(join(folder, name)), { message: problem });
      await assert.rejects(writeSecretFile(join(folder, name), Buffer.from("secret")), { message: problem });
    }
    assert.deepEqual(readdirSync(folder).sort(), ["dangling", "elsewhere", "key", "link", "pipe"]);
    assert.equal(readFileSync(elsewhere, "utf8"), "mine");
    // The control: beside all of them a file can be made.
    await writeSecretFile(join(folder, "new"), Buffer.from("secret"));
  });

  // Whatever is there, a regular file or nothing: these folders are the kernel's, also by the way of a link.
  it("is not made below /dev and /proc", async () => {
    symlinkSync("/dev", join(folder, "devices"));
    for (const file of ["/dev/stdout", "/dev/new", "/dev/shm/new", "/proc/self/comm", join(folder, "devices", "new")]) {
      await assert.rejects(expectSecretFile(file), /is below \/(dev|proc).*; for standard output give --out -$/, file);
    }
  });

  // Not with a command: the folder may be /etc, and to make that the caller's own would be no mend.
  it("needs its folder, and says why that is none", async () => {
    const [missing, file, link] = ["missing", "file", "link"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(file, "");
    symlinkSync("nowhere", link);
    for (const [above, why] of [
      [missing, "does not exist"],
      [file, `can't be used \\(ENOTDIR\\): its path ends at ${file} \\(owner .*\\)`],
      [link, `is a symbolic link to ${folder}/nowhere, which does not exist; mount it first`],
    ]) {
      const message = new RegExp(`^can't write ${above}/key: ${above} ${why}; give another --out$`);
      await assert.rejects(expectSecretFile(`${above}/key`), { message });
    }
    await assert.rejects(expectSecretFile(`${folder}/x/`), /is the path of a folder/);
    await assert.doesNotReject(expectSecretFile(join(folder, "key")));
  });
});
