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

  // Somebody who may write into the folder could otherwise have the secret written to a place of their choice.
  it("replaces a link instead of following it", async () => {
    const elsewhere = join(folder, "elsewhere");
    writeFileSync(elsewhere, "mine");
    symlinkSync(elsewhere, join(folder, "key"));
    await writeSecretFile(join(folder, "key"), Buffer.from("secret"));
    assert.equal(readFileSync(elsewhere, "utf8"), "mine");
    assert.ok(lstatSync(join(folder, "key")).isFile());
  });

  // As root it would take the place of /dev/null, or of the terminal behind /dev/stdout, for everybody on the machine.
  it("takes the place of no folder, device or pipe, nor of a link to one", async () => {
    mkdirSync(join(folder, "key"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    symlinkSync("pipe", join(folder, "link"));
    symlinkSync("nowhere", join(folder, "dangling"));
    for (const name of ["key", "pipe", "link"]) {
      const problem = new RegExp(`/${name} \\(owner uid \\d+, gid \\d+, mode \\d{4}\\) is no file.*another --out$`);
      await assert.rejects(expectSecretFile(join(folder, name)), problem);
      await assert.rejects(writeSecretFile(join(folder, name), Buffer.from("secret")), problem);
    }
    assert.deepEqual(readdirSync(folder).sort(), ["dangling", "key", "link", "pipe"]);
    await writeSecretFile(join(folder, "dangling"), Buffer.from("secret"));
    assert.ok(lstatSync(join(folder, "dangling")).isFile());
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
      [file, `can't be used \\(ENOTDIR\\): the way to it ends at ${file} \\(owner .*\\)`],
      [link, `is a symbolic link to ${folder}/nowhere, which is not there; mount it first`],
    ]) {
      const message = new RegExp(`^can't write ${above}/key: ${above} ${why}; give another --out$`);
      await assert.rejects(expectSecretFile(`${above}/key`), { message });
    }
    await assert.rejects(expectSecretFile(`${missing}/`), /is no file that a secret could take the place of/);
    await assert.doesNotReject(expectSecretFile(join(folder, "key")));
  });
});
