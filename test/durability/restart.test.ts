import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { makeRootKey } from "../../src/persistence/root-key-file.ts";
import { type Dump, contentOf, dump } from "../support/dump.ts";
import type { Caller } from "../support/server-kit.ts";
import { type ServerProcess, type StartOptions, Site } from "../support/server-process.ts";
import { copyAsIs } from "../support/copy-folder.ts";

const site = new Site();
after(() => site.remove());

const PATHS = ["once", "often", "newest-deleted", "some-deleted", "all/deleted", "__proto__", "deep/er/and/deeper"];

/** Puts secrets in every state: with pruned versions, with deleted versions, large ones, and with a single version. */
async function fill(caller: Caller): Promise<void> {
  const put = async (path: string, value: string) =>
    assert.equal((await caller.put({ path, ...contentOf(value) })).code, "OK");
  const remove = async (path: string, versions: number[] = []) =>
    assert.equal((await caller.delete({ path, versions })).code, "OK");
  for (const path of PATHS) await put(path, `${path} 1`);
  for (let version = 2; version <= 14; version++) await put("often", `often ${version}`);
  for (let version = 2; version <= 5; version++) await put("some-deleted", "x".repeat(version * 50_000));
  await put("newest-deleted", "two");
  await remove("newest-deleted");
  await remove("some-deleted", [2, 4]);
  await remove("often", [6, 9]);
  await remove("all/deleted");
}

async function dumpOf(server: ServerProcess): Promise<Dump> {
  const caller = site.caller(server);
  const found = await dump(caller, PATHS);
  caller.close();
  return found;
}

/** Starts a server, takes its dump and kills it, without a checkpoint or a shutdown. */
async function dumpAndKill(options: StartOptions = {}): Promise<Dump> {
  const server = await site.start(options);
  const found = await dumpOf(server);
  await server.kill();
  return found;
}

/** Every file below a folder, with its mode and a digest of its bytes. */
function fingerprint(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return files.map((name) => {
    const path = join(folder, name);
    const stats = statSync(path);
    const bytes = stats.isFile() ? createHash("sha256").update(readFileSync(path)).digest("hex") : "folder";
    return `${name} ${stats.mode.toString(8)} ${bytes}`;
  });
}

let before: Dump;

describe("a store", () => {
  // After a restart, List, Describe and Get of every version return the same numbers, revisions, times, authors and
  // bytes as before. This holds after a graceful shutdown, after a kill, and after a kill of the server that has
  // recovered from the first kill.
  it("is the same before and after a restart", async () => {
    const server = await site.start();
    const caller = site.caller(server);
    await fill(caller);
    caller.close();
    before = await dumpOf(server);
    assert.deepEqual([...before.secrets.keys()], PATHS);
    assert.equal(before.secrets.get("often")!.length, 10);
    await server.kill();
    assert.deepEqual(await dumpAndKill(), before);
    assert.deepEqual(await dumpAndKill(), before);
    const last = await site.start();
    assert.deepEqual(await last.stop(), { code: 0, signal: null });
    assert.deepEqual(await dumpAndKill(), before);
    assert.deepEqual(await (await site.start()).stop(), { code: 0, signal: null });
  });

  // The documented backup: stop the server, copy the complete data folder, keep the root key elsewhere.
  it("is restored from a copy of its data folder and its root key", async () => {
    const copy = join(site.folder, "copy");
    const key = join(site.folder, "copy-of.key");
    copyAsIs(site.data, copy);
    copyAsIs(site.rootKey, key);
    assert.deepEqual(await dumpAndKill({ data: copy, rootKey: key }), before);
  });

  // Without the root key, a copy can't be opened. A wrong key changes nothing: the copy opens with the right key
  // afterwards.
  it("is refused without its root key, and does not change", async () => {
    const copy = join(site.folder, "stolen");
    copyAsIs(site.data, copy);
    const untouched = fingerprint(copy);
    const other = join(site.folder, "other.key");
    makeRootKey(other);
    const wrong = await site.refusal({ data: copy, rootKey: other });
    assert.equal(wrong.code, 2, wrong.stderr);
    assert.match(wrong.stderr, /wrong root key/);
    const missing = await site.refusal({ data: copy, rootKey: join(site.folder, "no.key") });
    assert.equal(missing.code, 2, missing.stderr);
    assert.match(missing.stderr, /no\.key/);
    assert.deepEqual(fingerprint(copy), untouched);
    assert.deepEqual(await dumpAndKill({ data: copy }), before);
  });
});
