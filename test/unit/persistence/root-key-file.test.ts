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
  // It is the owner's alone from its first moment on, and two are never the same.
  it("is made private, and can be read", () => {
    const folder = temporaryFolder();
    const [first, second] = ["first", "second"].map((name) => join(folder, name)) as [string, string];
    makeRootKey(first);
    makeRootKey(second);
    assert.equal(lstatSync(first).mode & 0o777, 0o600);
    const key = readRootKey({ file: first, outside: undefined });
    assert.ok(key.bytes.equals(Buffer.from(readFileSync(first, "latin1").trim(), "hex")));
    assert.ok(!key.bytes.equals(readRootKey({ file: second, outside: undefined }).bytes));
  });

  // An overwritten key is a lost store: neither a file nor what a link points to is touched.
  it("is never overwritten", () => {
    const folder = temporaryFolder();
    const [file, link] = ["file", "link"].map((name) => join(folder, name)) as [string, string];
    writeFileSync(file, "precious");
    symlinkSync(file, link);
    assert.throws(() => makeRootKey(file), refused("exists"));
    assert.throws(() => makeRootKey(link), refused("exists"));
    assert.equal(readFileSync(file, "utf8"), "precious");
  });

  // A new key would go where the link leads, or nowhere: what is missing is the disk, and not a key.
  it("is told apart from a link to one that is not there", () => {
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
    assert.match(said(link), /link is a symbolic link to \S+unmounted\/key, which is not there; mount it first$/);
  });

  // Where it can't lie is told with the command that mends it.
  it("needs its folder", () => {
    const missing = join(temporaryFolder(), "missing");
    const said = `${join(missing, "key")} can't be made: ${missing} does not exist; run: install -d `;
    assert.throws(
      () => makeRootKey(join(missing, "key")),
      (error) => error instanceof PrivateFileError && error.message.startsWith(said),
    );
  });

  // Whoever copies the data folder must not get the key along, through whatever name it is reached.
  it("must not lie in the data folder", () => {
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
    assert.ok(readRootKey({ file: beside, outside: join(folder, "not there yet") }));
  });

  // A key that others may read is no secret.
  it("must be private", () => {
    const file = join(temporaryFolder(), "key");
    makeRootKey(file);
    assert.ok(readRootKey({ file, outside: undefined }));
    chmodSync(file, 0o644);
    assert.throws(() => readRootKey({ file, outside: undefined }), PrivateFileError);
  });

  it("must hold a key", () => {
    const file = join(temporaryFolder(), "key");
    writeFileSync(file, "secret\n", { mode: 0o600 });
    assert.throws(() => readRootKey({ file, outside: undefined }), refused("unknown form"));
  });
});
