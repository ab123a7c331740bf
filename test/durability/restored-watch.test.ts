import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, it } from "node:test";
import { SecretCache } from "../../src/client/secret-cache.ts";
import { copyAsIs } from "../support/copy-folder.ts";
import { freePort } from "../support/free-port.ts";
import { ADMIN, type Caller } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { until } from "../support/until.ts";
import { type WatchBookmark, Watching } from "../support/watching.ts";

const site = new Site();
after(() => site.remove());

const store = join(site.data, "store");
const backup = join(site.folder, "backup");

/** Runs a server at a port of its own, and stops it, or kills it. */
async function served(
  task: (caller: Caller, server: ServerProcess) => Promise<void>,
  end: "stop" | "kill" = "stop",
): Promise<void> {
  const server = await site.start();
  const caller = site.caller(server);
  await task(caller, server);
  caller.close();
  await server[end]();
}

async function put(caller: Caller, path: string, value: string): Promise<void> {
  assert.equal((await caller.put({ path, data: { k: value } })).code, "OK");
}

/** Puts the copy in place of the store. */
function restore(): void {
  rmSync(store, { recursive: true });
  copyAsIs(backup, store);
}

/** A watch of everything that has arrived up to SYNCED, and then the events for which `arrived` waits. */
async function watched(caller: Caller, request: object, arrived = "synced"): Promise<Watching> {
  const watching = new Watching(caller, { prefixes: [""], withValues: true, ...request });
  await watching.first((text) => text.startsWith(arrived));
  return watching;
}

// The store of a server that was killed is copied, another server changes the original, and the copy replaces it. A third
// server changes the copy until its revision is higher than each that a watcher has seen. Each watcher must find out that
// it has seen changes that this store never had: by SYNCED, by an event after SYNCED, and in Coffer's cache.
it("a watcher gets a snapshot after a restore, although the store has grown past its revision", async (t) => {
  const bookmarks: Record<string, WatchBookmark> = {};
  const remember = (name: string, watching: Watching, bookmark = watching.bookmark) => {
    bookmarks[name] = bookmark;
    watching.cancel();
  };
  const listen = `127.0.0.1:${await freePort()}`;
  const atListen = { flags: ["--listen", listen] };
  await served(async (caller) => {
    await put(caller, "a", "1");
    remember("before", await watched(caller, {}));
  }, "kill");
  copyAsIs(store, backup);

  const before = await site.start(atListen);
  const client = site.client(ADMIN, { address: listen });
  const cache = new SecretCache(client, { prefixes: [""] });
  t.after(() => cache.close().then(() => client.close()));
  await cache.ready;
  const caller = site.caller(before);
  const early = await watched(caller, {});
  await put(caller, "a", "2 of before");
  await put(caller, "lost", "1");
  const lost = await early.first((text) => text.startsWith("lost"));
  // Without the heartbeat that can follow the event.
  remember("an event after SYNCED", early, early.bookmarkAt(lost));
  remember("SYNCED", await watched(caller, {}));
  await until("the cache has followed", () => cache.paths().length === 2);
  const [first, second] = [bookmarks["an event after SYNCED"]!, bookmarks["SYNCED"]!];
  assert.ok(first.fromRevision < first.seenRevision && second.fromRevision === second.seenRevision);
  caller.close();
  await before.stop();

  restore();
  // Nothing was committed since the restore: the copy has not reached the revision.
  await served(async (caller) => {
    const { shown } = await watched(caller, second);
    assert.deepEqual(shown, ["resync", "a v1 live k=1", "synced 1/1"]);
  });
  await served(async (caller) => {
    await put(caller, "a", "2 of after");
    for (const value of ["1", "2", "3"]) await put(caller, "new", value);
    for (const name of ["an event after SYNCED", "SYNCED"]) {
      const { shown } = await watched(caller, bookmarks[name]!);
      assert.deepEqual(shown, ["resync", "a v2 live k=2 of after", "new v3 live k=3", "synced 1/1"], name);
    }
    // (control) A caller that has seen only changes that the copy has continues without a snapshot.
    const continued = await watched(caller, bookmarks["before"]!);
    assert.deepEqual(continued.shown, ["a v2 live k=2 of after", "new v3 live k=3", "synced 1/1"]);
    // (control) Without the timeline, the lost and the changed secret are not noticed.
    const unnoticed = await watched(caller, { ...second, timeline: "" });
    assert.deepEqual(unnoticed.shown, ["new v3 live k=3", "synced 1/1"]);
  });

  const last = await site.start(atListen);
  await until("the cache has the newest states", () => [...cache.paths()].sort().join() === "a,new");
  assert.deepEqual(
    ["a", "new"].map((path) => cache.get(path).content.text("k")),
    ["2 of after", "3"],
  );
  await last.stop();
});

// A Commit with three puts takes three revisions, and the first one after the restore skips the revision of the lost change.
// That revision must not belong to the run that was copied while it went on.
it("a watcher gets a snapshot if the first commit after a restore skips the revision that it has seen", async () => {
  let seen: WatchBookmark | undefined;
  await served(async (caller) => {
    await put(caller, "a", "x");
    rmSync(backup, { recursive: true, force: true });
    copyAsIs(store, backup);
    await put(caller, "lost", "1");
    const watching = await watched(caller, {});
    seen = watching.bookmark;
    watching.cancel();
  }, "kill");
  restore();
  await served(async (caller) => {
    const operations = ["p", "q", "r"].map((path) => ({ put: { path, data: { k: "1" } } }));
    assert.equal((await caller.call("Commit", { operations })).code, "OK");
    const { shown } = await watched(caller, seen!);
    assert.equal(shown[0], "resync");
    assert.ok(!shown.some((text) => text.startsWith("lost")));
  });
});
