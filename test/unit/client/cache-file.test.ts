import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
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
import { readCacheKey } from "../../../src/client/cache-key.ts";
import { seal, unseal } from "../../../src/client/sealed-bytes.ts";
import type { WatchResponse } from "../../../src/contract/messages.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import { ScriptedCache } from "../../support/scripted-cache.ts";
import { BROKEN, live, secret, synced, turns } from "../../support/scripted-watches.ts";
import { until } from "../../support/until.ts";

const SECRET = "correct horse battery staple";

/** An event whose content has a value that a search finds. */
const valuable = (path: string, version: number, revision: number, expireTime?: number) =>
  live(path, version, revision, {
    data: [{ key: "k", value: Buffer.from(SECRET) }],
    binaryData: [{ key: "b", value: Buffer.of(0, 255) }],
    expireTime,
  });

describe("the sealed file of a cache", () => {
  let folder: string;
  let file: { readonly path: string; readonly key: string };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "coffer-cache-"));
    file = { path: join(folder, "cache"), key: join(folder, "key") };
    writeFileSync(file.key, randomBytes(32), { mode: 0o600 });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Lets a cache receive secrets and close, and so write the file. */
  async function save(...secrets: readonly WatchResponse[]): Promise<void> {
    const scripted = new ScriptedCache({ prefixes: [""], file });
    await scripted.receive(...secrets, synced(9));
    await scripted.cache.ready;
    await scripted.cache.close();
  }

  /** A cache whose server does not answer, after it has looked for its file. */
  async function startAlone(
    options: Partial<ConstructorParameters<typeof ScriptedCache>[0]> = {},
    serverId?: SpiffeId,
  ) {
    const scripted = new ScriptedCache({ prefixes: [""], file, ...options }, serverId);
    const { cache } = scripted;
    await until("the file is read", () => cache.source === "file" || cache.fileProblem !== undefined);
    return scripted;
  }

  it("lets a cache start while no server answers, and says how old it is", async () => {
    await save(valuable("a", 7, 1), valuable("b", 1, 2, 100_000), secret({ path: "deleted", version: 1, state: 2 }, 3));
    const { cache, timers, changes, refusals } = await startAlone();
    refusals.push(BROKEN);
    await cache.ready;
    const { version, content, createTime, expireTime } = cache.get("a");
    assert.deepEqual([version, content.text("k"), content.bytes("b")], [7, SECRET, Buffer.of(0, 255)]);
    assert.deepEqual([createTime, expireTime, cache.get("b").expireTime], [1, undefined, 100_000]);
    assert.deepEqual([cache.paths(), cache.source, cache.fileProblem], [["a", "b"], "file", undefined]);
    // A program that follows the changes begins with them.
    assert.deepEqual(changes, ["changed a 7", "changed b 1"]);
    timers.advance(50_000);
    assert.equal(cache.ageMs, 50_000);
    timers.advance(50_000);
    assert.throws(() => cache.get("b"), { reason: "VERSION_EXPIRED" });
    await cache.close();
  });

  // A timer would keep the program running until the version expires.
  it("leaves no timer and no content if the cache is closed while the file is read", async () => {
    await save(valuable("a", 1, 1, 100_000));
    const { cache, timers } = new ScriptedCache({ prefixes: [""], file });
    await cache.close();
    assert.deepEqual([timers.pauses, cache.paths()], [[], []]);
    // The file could have been read.
    const other = await startAlone();
    assert.deepEqual([other.timers.pauses.at(-1), other.cache.paths()], [100_000, ["a"]]);
    await other.cache.close();
    assert.deepEqual(other.timers.pauses, []);
  });

  it("is followed by what the server sends: only differences are changes", async () => {
    await save(valuable("same", 1, 1), valuable("older", 1, 2), valuable("removed", 1, 3));
    const scripted = await startAlone();
    const { cache, changes } = scripted;
    const { content } = cache.get("same");
    changes.length = 0;
    await scripted.receive(valuable("same", 1, 1), valuable("older", 2, 4));
    assert.deepEqual([cache.source, cache.paths()], ["file", ["same", "older", "removed"]]);
    await scripted.receive(synced(9));
    assert.deepEqual([cache.source, cache.paths(), cache.ageMs], ["server", ["same", "older"], 0]);
    assert.deepEqual(changes, ["changed older 2", "removed removed vanished"]);
    assert.equal(cache.get("same").content, content);
    await cache.close();
    const { cache: next } = await startAlone();
    assert.deepEqual([next.paths(), next.get("older").version], [["same", "older"], 2]);
    await next.close();
  });

  it("has no readable value, no path, and access for its owner only", async () => {
    await save(valuable("path/of/a/secret", 1, 1));
    const sealed = readFileSync(file.path);
    for (const text of [SECRET, "path/of/a/secret", "example.org"]) assert.equal(sealed.includes(text), false, text);
    // The control: the sealed plaintext has all of them.
    const plaintext = unseal(sealed, readFileSync(file.key));
    for (const text of [SECRET, "path/of/a/secret", "example.org"]) assert.equal(plaintext.includes(text), true, text);
    assert.equal(statSync(file.path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder).sort(), ["cache", "key"]);
    // The same secrets are sealed differently each time.
    assert.notDeepEqual(seal(plaintext, readFileSync(file.key)), seal(plaintext, readFileSync(file.key)));
  });

  // Each byte of the file is authenticated.
  it("is refused with any changed byte, and the cache starts without it", async () => {
    await save(valuable("a", 1, 1));
    const sealed = readFileSync(file.path);
    const key = readFileSync(file.key);
    assert.doesNotThrow(() => unseal(sealed, key), "the control");
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.throws(() => unseal(changed, key), { name: "UnsealError" }, `byte ${at}`);
    }
    for (const length of [0, 1, 20, 45, sealed.length - 1])
      assert.throws(() => unseal(sealed.subarray(0, length), key), { name: "UnsealError" }, `${length} bytes`);
    writeFileSync(file.path, Buffer.from(sealed.map((byte, at) => (at === 60 ? byte ^ 1 : byte))));
    await refusedAsIs("is damaged, or was sealed with another key");
  });

  it("is refused if its key, format or cache is another one, or if it is not a sealed file", async () => {
    await save(valuable("a", 1, 1));
    const sealed = readFileSync(file.path);
    await refusedAsIs("is the file of a cache of another server, or of other paths", { prefixes: ["s/"] });
    const other = SpiffeId.parse("spiffe://example.org/staging/coffer");
    await refusedAsIs("is the file of a cache of another server, or of other paths", {}, other);
    writeFileSync(
      file.path,
      sealed.map((byte, at) => (at === 13 ? 2 : byte)),
    );
    await refusedAsIs("has format 2; this release reads format 1");
    writeFileSync(file.path, "a: b\n");
    await refusedAsIs("is not a sealed file of a cache");
    writeFileSync(file.path, seal(Buffer.of(0xff), readFileSync(file.key)));
    await refusedAsIs(/^.*cache .+/);
    writeFileSync(file.path, sealed);
    writeFileSync(file.key, randomBytes(32));
    await refusedAsIs("is damaged, or was sealed with another key");
    rmSync(file.path);
    symlinkSync(folder, file.path);
    await refusedAsIs("is not a regular file");
  });

  /** Starts a cache that refuses the file. It works without it, and is ready with the first snapshot. */
  async function refusedAsIs(problem: string | RegExp, options = {}, serverId?: SpiffeId): Promise<void> {
    const scripted = await startAlone(options, serverId);
    const { cache } = scripted;
    assert.equal(cache.source, "none");
    assert.equal(cache.fileProblem?.file, file.path);
    const { message } = cache.fileProblem;
    if (typeof problem === "string") assert.equal(message, `${file.path} ${problem}`);
    else assert.match(message, problem);
    assert.equal(message.includes(SECRET), false);
    await scripted.receive(live("s/a", 1, 1), synced(1));
    await cache.ready;
    assert.equal(cache.source, "server");
    const saved = statSync(file.path).isFile() ? readFileSync(file.path) : undefined;
    await cache.close();
    // The cache has replaced the file. The next case needs the old one.
    if (saved !== undefined) writeFileSync(file.path, saved);
  }

  // A pipe would keep the cache from being closed, and a device would fill its memory.
  it("is refused if it is a pipe or a device, and the cache can be closed", async () => {
    execFileSync("mkfifo", [file.path]);
    for (const path of [file.path, "/dev/zero"]) {
      const { cache } = await startAlone({ file: { ...file, path } });
      assert.equal(cache.fileProblem?.message, `${path} is not a regular file`);
      await cache.close();
    }
    // The control: a file that a cache has written in the place of the pipe.
    await save(valuable("a", 1, 3));
    const { cache } = await startAlone();
    assert.deepEqual([cache.fileProblem, cache.source], [undefined, "file"]);
    await cache.close();
  });

  it("is not a problem if it does not exist yet", async () => {
    const scripted = new ScriptedCache({ prefixes: [""], file });
    await scripted.receive(live("a", 1, 1), synced(1));
    await scripted.cache.ready;
    assert.deepEqual([scripted.cache.source, scripted.cache.fileProblem], ["server", undefined]);
    await scripted.cache.close();
    assert.ok(statSync(file.path).isFile());
  });

  // A burst of changes is one write, and a file that is always replaced would wear out a disk.
  it("is written one second after a change, and every five minutes without one", async () => {
    const scripted = new ScriptedCache({ prefixes: [""], file });
    const { cache, timers } = scripted;
    /** Lets the time pass for which the writer waits, and waits for the write. */
    const written = async (ms: number) => {
      assert.ok(timers.pauses.includes(ms), String(timers.pauses));
      const before = statSync(file.path, { throwIfNoEntry: false })?.ino;
      timers.advance(ms);
      await until("the file is replaced", () => statSync(file.path, { throwIfNoEntry: false })?.ino !== before);
    };
    await scripted.receive(valuable("a", 1, 1));
    assert.equal(timers.pauses.includes(1000), false, "an incomplete snapshot is not saved");
    await scripted.receive(synced(1));
    await written(1000);
    await scripted.receive(valuable("a", 2, 2), valuable("b", 1, 3));
    await written(1000);
    await scripted.receive(synced(4));
    await written(300_000);
    await cache.close();
    const { cache: next } = await startAlone();
    assert.deepEqual([next.get("a").version, next.paths()], [2, ["a", "b"]]);
    await next.close();
  });

  it("is reported as a problem if it can't be written, and the cache works without it", async () => {
    file = { ...file, path: join(folder, "missing", "cache") };
    const scripted = new ScriptedCache({ prefixes: [""], file });
    const { cache, timers } = scripted;
    await scripted.receive(valuable("a", 1, 1), synced(1));
    timers.advance(1000);
    await until("the write has failed", () => cache.fileProblem);
    assert.equal(cache.fileProblem?.message, `${file.path} can't be used (ENOENT)`);
    assert.equal(cache.get("a").version, 1);
    await cache.close();
  });

  it("is not written any more after the close, which writes what is not saved yet", async () => {
    const scripted = new ScriptedCache({ prefixes: [""], file });
    await scripted.receive(valuable("a", 1, 1), synced(1));
    await scripted.cache.close();
    assert.ok(statSync(file.path).isFile());
    rmSync(file.path);
    await scripted.cache.close();
    await turns();
    assert.deepEqual([readdirSync(folder), scripted.timers.pauses], [["key"], []]);
  });
});

describe("the key of a sealed file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "coffer-cache-key-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function keyFile(content: string | Uint8Array, mode = 0o600): string {
    const path = join(folder, "key");
    rmSync(path, { force: true });
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  }

  const key = Buffer.from(Array.from({ length: 32 }, (_, i) => 200 + i));

  it("is 32 bytes, 64 hex digits or 44 base64 characters, with a line break", () => {
    for (const content of [
      key,
      key.toString("hex"),
      `${key.toString("hex").toUpperCase()}\n`,
      key.toString("base64"),
      `${key.toString("base64")}\r\n`,
    ])
      assert.deepEqual(readCacheKey(keyFile(content)), key);
  });

  it("is refused in any other form, as a passphrase, or if others can read it", () => {
    const rows: [content: string | Uint8Array, mode: number, message: RegExp][] = [
      ["", 0o600, /is not a key: expected 32 bytes/],
      [key.subarray(1), 0o600, /is not a key: expected 32 bytes/],
      [`${key.toString("hex")}\n\n`, 0o600, /is not a key/],
      [`${key.toString("hex")}0`, 0o600, /is not a key/],
      [key.toString("base64url"), 0o600, /is not a key/],
      ["0123456789abcdef0123456789abcdef", 0o600, /passphrase/],
      [key, 0o644, /is open to every user of this machine/],
    ];
    for (const [content, mode, message] of rows)
      assert.throws(() => readCacheKey(keyFile(content, mode)), {
        name: "ClientError",
        code: "INVALID_ARGUMENT",
        message,
      });
    assert.throws(() => readCacheKey(join(folder, "missing")), { code: "INVALID_ARGUMENT", message: /does not exist/ });
  });

  it("is read when the cache is created, with both paths", () => {
    const create = (file: object) => () => new ScriptedCache({ prefixes: [""], file: file as never });
    assert.throws(create({ path: "x", key: join(folder, "missing") }), { code: "INVALID_ARGUMENT" });
    assert.throws(create({ path: "x" }), { code: "INVALID_ARGUMENT", message: "file: expected path and key" });
    assert.throws(create({ path: "x", key: "y", mode: 1 }), { message: /^unknown property "mode"/ });
  });
});
