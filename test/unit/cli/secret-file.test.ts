import assert from "node:assert/strict";
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
import { writeSecretFile } from "../../../src/cli/secret-file.ts";

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

  it("leaves nothing behind when it can't be put in place", async () => {
    mkdirSync(join(folder, "key"));
    await assert.rejects(writeSecretFile(join(folder, "key"), Buffer.from("secret")));
    assert.deepEqual(readdirSync(folder), ["key"]);
  });
});
