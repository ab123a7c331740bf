import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { contentOf, dump, storedValue } from "../support/dump.ts";
import { fetchOps } from "../support/fetch-ops.ts";
import { freePort } from "../support/free-port.ts";
import { SmallDisk, failNext, whyNoFaults, whyNoSmallDisk } from "../support/failing-disk.ts";
import type { Caller, Outcome } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { Ledger } from "../support/ledger.ts";

const sites: Site[] = [];
after(() => Promise.all(sites.map((site) => site.remove())));

/** A separate site for each test, because the tests damage their data. */
function newSite(): Site {
  const site = new Site();
  sites.push(site);
  return site;
}

function database(site: Site, suffix = ""): string {
  return join(realpathSync(site.data), "store", `coffer.db${suffix}`);
}

/** Puts many values at once, records them in the ledger, and returns the outcomes. */
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

/** Asserts that the server has logged once that the journal failed, and has killed itself. */
async function assertEndedByItself(server: ServerProcess): Promise<void> {
  assert.deepEqual(await server.ended, { code: null, signal: "SIGKILL" }, server.stderr);
  const lines = server.lines("journal failed");
  assert.deepEqual(
    lines.map(({ level }) => level),
    ["error"],
  );
  assert.match(String(lines[0]!["error"]), /disk I\/O error/);
}

/** Asserts that a restarted server agrees with the ledger and accepts Puts. */
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

/** The status and the body of a page of the ops listener. */
async function page(url: string): Promise<string> {
  const response = await fetchOps(url);
  return `${response.status} ${await response.text()}`;
}

describe("a disk that fails", { skip: whyNoFaults() ?? false }, () => {
  // The callers of the failed COMMIT get OUTCOME_UNKNOWN, all others an error that means "not applied". No change of
  // the failed group is readable, and the process ends immediately. After a restart, each change with an unknown
  // outcome is either present completely or absent.
  it("during a commit leaves its outcome unknown and ends the server", async () => {
    const site = newSite();
    const server = await site.start();
    const caller = site.caller(server);
    const ledger = new Ledger();
    const before = await putAll(ledger, caller, values("before"));
    assert.deepEqual(new Set(before.map(({ code }) => code)), new Set(["OK"]));
    await failNext(server, { call: "sync", file: database(site, "-wal") });
    const during = await putAll(ledger, caller, values("during"));
    // A retry policy for UNAVAILABLE must not repeat a change with an unknown outcome.
    const errors = new Set(during.map(({ code, reason }) => `${code} ${reason}`));
    assert.ok(errors.has("UNKNOWN OUTCOME_UNKNOWN"), [...errors].join(", "));
    // Without a reason, the connection has ended before the answer. Which code grpc-js then has depends on what it notices
    // first.
    const unanswered = ["UNAVAILABLE", "CANCELLED", "INTERNAL"].map((code) => `${code} undefined`);
    const others = ["UNAVAILABLE SHUTTING_DOWN", ...unanswered];
    assert.deepEqual(
      [...errors].filter((what) => what !== "UNKNOWN OUTCOME_UNKNOWN" && !others.includes(what)),
      [],
    );
    const read = await caller.get({ path: PATHS[0]! });
    if (read.code === "OK") assert.equal(storedValue(read.response), "before-0");
    await assertEndedByItself(server);
    caller.close();
    await assertConsistentAfterRestart(site, ledger);
  });

  // The checkpoint fails after all calls were answered. The server ends by itself, and all acknowledged changes are in
  // the log.
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

  // With concurrent commits, which fail too, the failure is logged once.
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

  // If the checkpoint of the shutdown fails, the server must not report a graceful shutdown.
  it("during the last checkpoint prevents a graceful shutdown", async () => {
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

describe("a server whose disk can't be written", { skip: whyNoSmallDisk() ?? false }, () => {
  // Puts are refused with DISK_FULL and not applied. The server continues to serve Gets, and accepts Puts as soon as
  // there is space. /readyz fails as long as the disk is full. A kill while the disk is full loses no acknowledged
  // change.
  it("refuses changes while the disk is full, and continues", async (t) => {
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
      const errors = refused.map(({ code, reason }) => `${code} ${reason}`);
      assert.deepEqual(new Set(errors), new Set(["RESOURCE_EXHAUSTED DISK_FULL"]));
    }
    assert.deepEqual(ledger.check(await dump(caller, PATHS)), []);
    assert.match(String((await server.logged("call failed"))["error"]), /bytes left/);
    disk.empty();
    assert.match(await page(`http://${ops}/readyz`), /^200/);
    const accepted = await putAll(ledger, caller, values("accepted"));
    assert.deepEqual(new Set(accepted.map(({ code }) => code)), new Set(["OK"]));
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

  // The kernel makes a disk read-only when its file system is damaged. /readyz fails before the first change fails and
  // ends the process.
  it("is not ready when the disk has become read-only", async (t) => {
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
