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

  it("is readable only by its owner, and replaces an existing file", async () => {
    const file = join(folder, "key");
    for (const content of ["one", "two"]) {
      await writeSecretFile(file, Buffer.from(content));
      assert.equal(readFileSync(file, "utf8"), content);
      assert.equal(lstatSync(file).mode & 0o777, 0o400);
    }
    assert.deepEqual(readdirSync(folder), ["key"]);
  });

  // Links were once replaced, even system-wide ones: /dev/stdout is a link to a file if standard output is redirected,
  // and a command run by root replaced it with a secret's file, for every program of the machine.
  it("does not replace links, folders, devices or pipes", async () => {
    const elsewhere = join(folder, "elsewhere");
    writeFileSync(elsewhere, "mine");
    mkdirSync(join(folder, "key"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    symlinkSync("elsewhere", join(folder, "link"));
    symlinkSync("nowhere", join(folder, "dangling"));
    for (const [name, why] of [
      ["key", "is not a regular file \\(owner uid \\d+, gid \\d+, mode \\d{4}\\); use another path"],
      ["pipe", "is not a regular file .*"],
      ["link", "is a symbolic link, which would be replaced; use the path of its target"],
      ["dangling", "is a symbolic link, .*"],
    ] as const) {
      const problem = new RegExp(`^--out ${folder}/${name} ${why}$`);
      await assert.rejects(expectSecretFile(join(folder, name)), { message: problem });
      await assert.rejects(writeSecretFile(join(folder, name), Buffer.from("secret")), { message: problem });
    }
    assert.deepEqual(readdirSync(folder).sort(), ["dangling", "elsewhere", "key", "link", "pipe"]);
    assert.equal(readFileSync(elsewhere, "utf8"), "mine");
    // The positive control: a new file can be created beside them.
    await writeSecretFile(join(folder, "new"), Buffer.from("secret"));
  });

  // These folders belong to the kernel. A path below them is refused whether or not it exists, and also if it leads
  // there through a link.
  it("is not created below /dev and /proc", async () => {
    symlinkSync("/dev", join(folder, "devices"));
    for (const file of ["/dev/stdout", "/dev/new", "/dev/shm/new", "/proc/self/comm", join(folder, "devices", "new")]) {
      await assert.rejects(expectSecretFile(file), /is below \/(dev|proc).*; use --out - for standard output$/, file);
    }
  });

  // The message suggests no command such as chown: the folder may be /etc, which must not belong to the caller.
  it("needs a folder, and reports why the folder can't be used", async () => {
    const [missing, file, link] = ["missing", "file", "link"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(file, "");
    symlinkSync("nowhere", link);
    for (const [above, why] of [
      [missing, "does not exist"],
      [file, `can't be used \\(ENOTDIR\\): the last part of its path that can be used is ${file} \\(owner .*\\)`],
      [link, `is a symbolic link to ${folder}/nowhere, which does not exist; mount it first`],
    ]) {
      const message = new RegExp(`^can't write ${above}/key: ${above} ${why}; use another --out$`);
      await assert.rejects(expectSecretFile(`${above}/key`), { message });
    }
    await assert.rejects(expectSecretFile(`${folder}/x/`), /is the path of a folder/);
    await assert.doesNotReject(expectSecretFile(join(folder, "key")));
  });
});
