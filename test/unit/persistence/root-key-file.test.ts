import assert from "node:assert/strict";
import { chmodSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { PrivateFileError } from "../../../src/files/private-file.ts";
import { makeRootKey, readRootKey } from "../../../src/persistence/root-key-file.ts";
import { RootKeyRefused } from "../../../src/sealing/root-key.ts";
import { temporaryFolder } from "../../support/persistence-kit.ts";

function refused(problem: string): (error: unknown) => boolean {
  return (error) => error instanceof RootKeyRefused && error.problem === problem;
}

describe("a root key file", () => {
  // Only the owner ever has access to the file, and two keys are never equal.
  it("is created with mode 0600, and can be read", () => {
    const folder = temporaryFolder();
    const [first, second] = ["first", "second"].map((name) => join(folder, name)) as [string, string];
    makeRootKey(first);
    makeRootKey(second);
    assert.equal(lstatSync(first).mode & 0o777, 0o600);
    const key = readRootKey({ file: first, outside: undefined });
    assert.ok(key.bytes.equals(Buffer.from(readFileSync(first, "latin1").trim(), "hex")));
    assert.ok(!key.bytes.equals(readRootKey({ file: second, outside: undefined }).bytes));
  });

  // If a key is overwritten, its store is lost. Neither an existing file nor the target of a link is changed.
  it("is never overwritten", () => {
    const folder = temporaryFolder();
    const [file, link] = ["file", "link"].map((name) => join(folder, name)) as [string, string];
    writeFileSync(file, "precious");
    symlinkSync(file, link);
    assert.throws(() => makeRootKey(file), refused("exists"));
    assert.throws(() => makeRootKey(link), refused("exists"));
    assert.equal(readFileSync(file, "utf8"), "precious");
  });

  // A dangling link means that a mount is missing, not that there is no key. So its message does not suggest making a
  // key.
  it("is distinguished from a dangling link if it is missing", () => {
    const folder = temporaryFolder();
    const [absent, link] = ["absent", "link"].map((name) => join(folder, name)) as [string, string];
    symlinkSync("unmounted/key", link);
    const said = (file: string) => {
      try {
        return String(readRootKey({ file, outside: undefined }));
      } catch (error) {
        assert.ok(error instanceof PrivateFileError);
        return error.message;
      }
    };
    assert.match(said(absent), /does not exist; .* for a new store, run: coffer root-key --out \S+absent$/);
    assert.match(said(link), /link is a symbolic link to \S+unmounted\/key, which does not exist; mount it first$/);
  });

  // The error for a missing folder has the command that creates it.
  it("can't be created without its folder", () => {
    const missing = join(temporaryFolder(), "missing");
    const said = `${join(missing, "key")} can't be created: ${missing} does not exist; run: install -d `;
    assert.throws(
      () => makeRootKey(join(missing, "key")),
      (error) => error instanceof PrivateFileError && error.message.startsWith(said),
    );
  });

  // A copy of the data folder must not include the key. This holds for every path that leads to the key.
  it("must not be in the data folder", () => {
    const folder = temporaryFolder();
    const data = join(folder, "data");
    mkdirSync(join(data, "deep"), { recursive: true });
    const inside = join(data, "deep", "key");
    makeRootKey(inside);
    const link = join(folder, "link");
    symlinkSync(inside, link);
    const beside = join(folder, "data-key");
    makeRootKey(beside);
    assert.throws(() => readRootKey({ file: inside, outside: data }), refused("inside the data folder"));
    assert.throws(() => readRootKey({ file: link, outside: data }), refused("inside the data folder"));
    assert.ok(readRootKey({ file: inside, outside: undefined }));
    assert.ok(readRootKey({ file: beside, outside: data }));
    assert.ok(readRootKey({ file: beside, outside: join(folder, "missing") }));
  });

  // A key that other users can read is refused.
  it("must be private", () => {
    const file = join(temporaryFolder(), "key");
    makeRootKey(file);
    assert.ok(readRootKey({ file, outside: undefined }));
    chmodSync(file, 0o644);
    assert.throws(() => readRootKey({ file, outside: undefined }), PrivateFileError);
  });

  it("must contain a key", () => {
    const file = join(temporaryFolder(), "key");
    writeFileSync(file, "secret\n", { mode: 0o600 });
    assert.throws(() => readRootKey({ file, outside: undefined }), refused("unknown form"));
  });
});
