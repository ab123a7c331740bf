import assert from "node:assert/strict";
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
import { replaceFile } from "../../../src/files/replaced-file.ts";

describe("a replaced file", () => {
  let folder: string;
  let file: string;
  const temporary = () => `${file}.${process.pid}.tmp`;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "coffer-replaced-"));
    file = join(folder, "file");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("has the new content and the mode, and its folder has no other file", async () => {
    await replaceFile(file, Buffer.from("1"), 0o600);
    assert.deepEqual([readFileSync(file, "utf8"), statSync(file).mode & 0o777], ["1", 0o600]);
    // A process that has the old file open keeps it: the new one is another file.
    const { ino } = statSync(file);
    await replaceFile(file, Buffer.from("22"), 0o600);
    assert.deepEqual([readFileSync(file, "utf8"), statSync(file).ino === ino], ["22", false]);
    assert.deepEqual(readdirSync(folder), ["file"]);
  });

  // A process that was killed leaves its temporary file. A link could lead the write to a file of another user.
  it("is written although an older temporary file is there, and not through a link", async () => {
    const target = join(folder, "target");
    writeFileSync(target, "kept");
    symlinkSync(target, temporary());
    await replaceFile(file, Buffer.from("1"), 0o600);
    writeFileSync(temporary(), "left by a process that was killed", { mode: 0o644 });
    await replaceFile(file, Buffer.from("2"), 0o600);
    assert.deepEqual([readFileSync(file, "utf8"), statSync(file).mode & 0o777], ["2", 0o600]);
    assert.deepEqual([readFileSync(target, "utf8"), readdirSync(folder)], ["kept", ["file", "target"]]);
  });

  it("is not touched if it can't be replaced, and no temporary file is left", async () => {
    await assert.rejects(replaceFile(join(folder, "missing", "file"), Buffer.from("1"), 0o600), { code: "ENOENT" });
    // A folder can't be replaced by a file.
    mkdirSync(file);
    writeFileSync(join(file, "inside"), "kept");
    await assert.rejects(replaceFile(file, Buffer.from("1"), 0o600), { code: /^(EISDIR|ENOTEMPTY|EEXIST)$/ });
    assert.deepEqual([readFileSync(join(file, "inside"), "utf8"), readdirSync(folder)], ["kept", ["file"]]);
  });

  // A reader sees the old content or the new one, and never a part.
  it("is never seen in part", async () => {
    const contents = ["a", "b"].map((letter) => letter.repeat(100_000));
    await replaceFile(file, Buffer.from(contents[0] ?? ""), 0o600);
    let isWriting = true;
    const writing = (async () => {
      for (let i = 0; i < 50; i++) await replaceFile(file, Buffer.from(contents[i % 2] ?? ""), 0o600);
      isWriting = false;
    })();
    const seen = new Set<boolean>();
    while (isWriting) {
      seen.add(contents.includes(readFileSync(file, "utf8")));
      await new Promise(setImmediate);
    }
    await writing;
    assert.deepEqual([...seen], [true]);
  });
});
