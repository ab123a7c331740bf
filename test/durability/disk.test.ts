import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { contentOf, dump, storedValue } from "../support/dump.ts";
import { freePort } from "../support/free-port.ts";
import { SmallDisk, failNext, whyNoFaults, whyNoSmallDisk } from "../support/failing-disk.ts";
import type { Caller, Outcome } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { Ledger } from "../support/ledger.ts";

const sites: Site[] = [];
after(() => Promise.all(sites.map((site) => site.remove())));

/** Every test has data of its own: what one of them breaks is not the next one's. */
function newSite(): Site {
  const site = new Site();
  sites.push(site);
  return site;
}

function database(site: Site, suffix = ""): string {
  return join(realpathSync(site.data), "store", `coffer.db${suffix}`);
}

/** Puts many values at once, all on the ledger, and says what became of them. */
function putAll(ledger: Ledger, caller: Caller, values: readonly string[]): Promise<Outcome[]> {
  return Promise.all(
    values.map((value, i) => {
      const path = `disk/${i}`;
      return ledger.record({ kind: "put", path, value }, () => caller.put({ path, ...contentOf(value) }));
    }),
  );
}

const COUNT = 24;
const PATHS = Array.from({ length: COUNT }, (_, i) => `disk/${i}`);

function values(name: string, length = 0): string[] {
  return PATHS.map((_, i) => `${name}-${i}`.padEnd(length, "."));
}

/** It said once that the journal had failed, and left without touching the files again. */
async function assertEndedByItself(server: ServerProcess): Promise<void> {
  assert.deepEqual(await server.ended, { code: null, signal: "SIGKILL" }, server.stderr);
  const lines = server.lines("the journal failed; the process ends");
  assert.deepEqual(
    lines.map(({ level }) => level),
    ["error"],
  );
  assert.match(String(lines[0]!["error"]), /disk I\/O error/);
}

/** What a new server finds agrees with the ledger, and it takes Puts again. */
async function assertConsistentAfterRestart(site: Site, ledger: Ledger): Promise<void> {
  const server = await site.start();
  const caller = site.caller(server);
  assert.deepEqual(ledger.check(await dump(caller, PATHS)), []);
  const again = await putAll(ledger, caller, values("again"));
  assert.deepEqual(new Set(again.map(({ code }) => code)), new Set(["OK"]));
  assert.deepEqual(ledger.check(await dump(caller, PATHS)), []);
  caller.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
}

/** The status of a page, and what it says. */
async function page(url: string): Promise<string> {
  const response = await fetch(url);
  return `${response.status} ${await response.text()}`;
}

describe("a disk that fails", { skip: whyNoFaults() ?? false }, () => {
  // The callers of the group whose COMMIT failed are told that nobody knows, all others that nothing was applied; nothing
  // of it can be read, and the process ends at once. After a restart the unknown is there or not, and nothing else.
  it("during a commit leaves its outcome unknown and ends the server", async () => {
    const site = newSite();
    const server = await site.start();
    const caller = site.caller(server);
    const ledger = new Ledger();
    const before = await putAll(ledger, caller, values("before"));
    assert.deepEqual(new Set(before.map(({ code }) => code)), new Set(["OK"]));
    await failNext(server, { call: "sync", file: database(site, "-wal") });
    const during = await putAll(ledger, caller, values("during"));
    // A policy that retries UNAVAILABLE repeats none of the first kind.
    const told = new Set(during.map(({ code, reason }) => `${code} ${reason}`));
    assert.ok(told.has("UNKNOWN OUTCOME_UNKNOWN"), [...told].join(", "));
    const others = ["UNAVAILABLE SHUTTING_DOWN", "UNAVAILABLE undefined"];
    assert.deepEqual(
      [...told].filter((what) => what !== "UNKNOWN OUTCOME_UNKNOWN" && !others.includes(what)),
      [],
    );
    const read = await caller.get({ path: PATHS[0]! });
    if (read.code === "OK") assert.equal(storedValue(read.response), "before-0");
    await assertEndedByItself(server);
    caller.close();
    await assertConsistentAfterRestart(site, ledger);
  });

  // A checkpoint between commits, and nothing after it: all was answered, and the server ends by itself. What was
  // acknowledged is in the log and stays there.
  it("during a checkpoint ends the server", async () => {
    const site = newSite();
    const server = await site.start();
    const caller = site.caller(server);
    const ledger = new Ledger();
    await failNext(server, { call: "write", file: database(site) });
    for (const [i, value] of values("large", 900_000).slice(0, 5).entries()) {
      const path = PATHS[i]!;
      const { code } = await ledger.record({ kind: "put", path, value }, () =>
        caller.put({ path, ...contentOf(value) }),
      );
      assert.equal(code, "OK", `Put ${i + 1} of 5: a checkpoint is due after 4 MiB`);
    }
    await assertEndedByItself(server);
    caller.close();
    await assertConsistentAfterRestart(site, ledger);
  });

  // The same with more commits behind it, which fail as well: it is told of once.
  it("during a checkpoint under load ends the server once", async () => {
    const site = newSite();
    const server = await site.start();
    const callers = Array.from({ length: 4 }, () => site.caller(server));
    const ledger = new Ledger();
    await failNext(server, { call: "write", file: database(site) });
    const writers = PATHS.map(async (path, i) => {
      const caller = callers[i % callers.length]!;
      for (let n = 0, code = "OK"; code === "OK"; n++) {
        const value = `${i}/${n}`.padEnd(50_000, ".");
        ({ code } = await ledger.record({ kind: "put", path, value }, () => caller.put({ path, ...contentOf(value) })));
      }
    });
    await Promise.all(writers);
    await assertEndedByItself(server);
    for (const caller of callers) caller.close();
    await assertConsistentAfterRestart(site, ledger);
  });

  // The last checkpoint: a server that can't fold its log in must not report that it ended well.
  it("during the last checkpoint is no good end", async () => {
    const site = newSite();
    const server = await site.start();
    const caller = site.caller(server);
    const ledger = new Ledger();
    await putAll(ledger, caller, values("before"));
    await failNext(server, { call: "sync", file: database(site) });
    caller.close();
    server.signal("SIGTERM");
    await assertEndedByItself(server);
    assert.equal(server.lines("stopped").length, 0);
    await assertConsistentAfterRestart(site, ledger);
  });
});

describe("a disk that is full", { skip: whyNoSmallDisk() ?? false }, () => {
  // Puts are refused and not applied, in so many words; the server goes on, reads included, takes Puts again as soon as
  // there is room, and a kill while the disk is full costs nothing. Probes are told for as long as it lasts.
  it("refuses changes and ends nothing", async (t) => {
    const site = newSite();
    const disk = await SmallDisk.mount(site.data, "24m");
    t.after(() => disk.unmount());
    const ops = `127.0.0.1:${await freePort()}`;
    const server = await site.start({ prefix: disk.prefix, flags: ["--ops-listen", ops] });
    const caller = site.caller(server);
    const ledger = new Ledger();
    const before = await putAll(ledger, caller, values("before", 2000));
    assert.match(await page(`http://${ops}/readyz`), /^200 .*journal ok/s);
    assert.deepEqual(new Set(before.map(({ code }) => code)), new Set(["OK"]));
    disk.fill();
    assert.match(await page(`http://${ops}/readyz`), /^503 .*journal not ready: .*store has 0 bytes left/s);
    assert.match(await page(`http://${ops}/livez`), /^200/);
    for (const length of [0, 500_000]) {
      const refused = await putAll(ledger, caller, values(`refused-${length}`, length));
      const told = refused.map(({ code, reason }) => `${code} ${reason}`);
      assert.deepEqual(new Set(told), new Set(["RESOURCE_EXHAUSTED DISK_FULL"]));
    }
    assert.deepEqual(ledger.check(await dump(caller, PATHS)), []);
    assert.match(String(server.lines("call failed")[0]!["error"]), /bytes left/);
    disk.empty();
    assert.match(await page(`http://${ops}/readyz`), /^200/);
    const room = await putAll(ledger, caller, values("room"));
    assert.deepEqual(new Set(room.map(({ code }) => code)), new Set(["OK"]));
    disk.fill();
    assert.equal((await putAll(ledger, caller, values("full again")))[0]!.reason, "DISK_FULL");
    caller.close();
    await server.kill();
    disk.empty();
    const again = await site.start({ prefix: disk.prefix });
    const reader = site.caller(again);
    assert.deepEqual(ledger.check(await dump(reader, PATHS)), []);
    reader.close();
    assert.deepEqual(await again.stop(), { code: 0, signal: null });
  });

  // The kernel makes a disk read-only when its file system is damaged. Before the first change fails, and with it the
  // process, probes are told.
  it("and one that has become read-only are told to probes", async (t) => {
    const site = newSite();
    const disk = await SmallDisk.mount(site.data, "24m");
    t.after(() => disk.unmount());
    const ops = `127.0.0.1:${await freePort()}`;
    const server = await site.start({ prefix: disk.prefix, flags: ["--ops-listen", ops] });
    assert.match(await page(`http://${ops}/readyz`), /^200/);
    disk.makeReadOnly(join(site.data, "store"));
    assert.match(await page(`http://${ops}/readyz`), /^503 .*journal not ready: .*store can't be written \(EROFS\)/s);
    assert.match(await page(`http://${ops}/livez`), /^200/);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});
