import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { contentOf, dump, storedValue } from "../support/dump.ts";
import { SmallDisk, useUpQuota, whyNoFaults, whyNoSmallDisk } from "../support/failing-disk.ts";
import { fetchOps } from "../support/fetch-ops.ts";
import { freePort } from "../support/free-port.ts";
import type { Caller } from "../support/server-kit.ts";
import { Site } from "../support/server-process.ts";
import { Ledger } from "../support/ledger.ts";

const sites: Site[] = [];
after(() => Promise.all(sites.map((site) => site.remove())));

function newSite(): Site {
  const site = new Site();
  sites.push(site);
  return site;
}

async function page(url: string): Promise<string> {
  const response = await fetchOps(url);
  return `${response.status} ${await response.text()}`;
}

/** Puts a value and records it in the ledger. */
function put(ledger: Ledger, caller: Caller, path: string, value: string) {
  return ledger.record({ kind: "put", path, value }, () => caller.put({ path, ...contentOf(value) }));
}

/** The value of a metric without labels. */
function sample(exposition: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(exposition)?.[1]);
}

describe("a server whose disk quota is used up", { skip: whyNoFaults() ?? false }, () => {
  // SQLite reports an exceeded quota as an I/O error of the COMMIT, and statfs does not show it. It is handled like a
  // full disk: changes are refused and not applied, both the first change of a process and later ones. The server
  // continues to serve Gets, and accepts changes when there is space. Refused changes are not present after a restart.
  for (const first of [true, false]) {
    it(`refuses ${first ? "the first change" : "a later change"}, and continues`, async () => {
      const site = newSite();
      const ops = `127.0.0.1:${await freePort()}`;
      const ledger = new Ledger();
      const seeding = await site.start();
      const seeder = site.caller(seeding);
      assert.equal((await put(ledger, seeder, "seed", "of the seed")).code, "OK");
      seeder.close();
      await seeding.stop();

      const server = await site.start({ flags: ["--ops-listen", ops] });
      const caller = site.caller(server);
      if (!first) assert.equal((await put(ledger, caller, "before", "of before")).code, "OK");
      const log = join(realpathSync(site.data), "store", "coffer.db-wal");
      const release = await useUpQuota(server, { call: "write", file: log });
      for (const path of ["refused", "refused-again"]) {
        const refused = await put(ledger, caller, path, `of ${path}`);
        assert.deepEqual([refused.code, refused.reason], ["RESOURCE_EXHAUSTED", "DISK_FULL"], server.stderr);
      }
      assert.equal((await caller.delete({ path: "seed" })).reason, "DISK_FULL");
      assert.equal(storedValue((await caller.get({ path: "seed" })).response), "of the seed");
      assert.match(await page(`http://${ops}/readyz`), /^503 .*journal not ready: .*a quota is used up/s);
      await release();
      assert.match(await page(`http://${ops}/readyz`), /^200 /);
      assert.equal((await put(ledger, caller, "after", "of after")).code, "OK");
      caller.close();
      await server.kill();

      const again = await site.start();
      const reader = site.caller(again);
      assert.deepEqual(ledger.check(await dump(reader, ["seed", "before", "refused", "refused-again", "after"])), []);
      assert.equal((await reader.get({ path: "refused" })).reason, "SECRET_NOT_FOUND");
      reader.close();
      assert.deepEqual(await again.stop(), { code: 0, signal: null });
    });
  }
});

describe("a server that starts on a full disk", { skip: whyNoSmallDisk() ?? false }, () => {
  // After a graceful shutdown or a kill of the previous server, Gets are served and changes are refused. Probes,
  // callers and metrics report the same numbers. When there is space, changes are accepted without a restart, and a
  // later kill does not lose them.
  for (const end of ["stop", "kill"] as const) {
    it(`serves Gets after ${end === "stop" ? "a graceful shutdown" : "a kill"}`, async (t) => {
      const site = newSite();
      const disk = await SmallDisk.mount(site.data, "24m");
      t.after(() => disk.unmount());
      const ledger = new Ledger();
      const first = await site.start({ prefix: disk.prefix });
      const writer = site.caller(first);
      for (const path of ["a", "b", "c"]) {
        assert.equal((await put(ledger, writer, path, `of ${path}`.padEnd(5000, "."))).code, "OK");
      }
      writer.close();
      await first[end]();
      disk.fill();

      const ops = `127.0.0.1:${await freePort()}`;
      const server = await site.start({ prefix: disk.prefix, flags: ["--ops-listen", ops] });
      const caller = site.caller(server);
      assert.deepEqual(ledger.check(await dump(caller, ["a", "b", "c"])), []);
      const refused = await put(ledger, caller, "d", "refused");
      assert.equal(refused.reason, "DISK_FULL");
      const { free_bytes, needed_bytes } = refused.metadata;
      assert.equal(free_bytes, "0");
      const ready = await page(`http://${ops}/readyz`);
      assert.match(ready, /^503 .*journal not ready: .*store has 0 bytes left, and the next commit may take \d+/s);
      const reserve = Number(/may take (\d+)/.exec(ready)?.[1]);
      assert.ok(reserve > 0 && reserve <= Number(needed_bytes), `${reserve} ${needed_bytes}`);
      const metrics = await page(`http://${ops}/metrics`);
      assert.equal(sample(metrics, "coffer_disk_free_bytes"), 0);
      assert.equal(sample(metrics, "coffer_disk_reserve_bytes"), reserve);
      disk.empty();
      assert.match(await page(`http://${ops}/readyz`), /^200 /);
      assert.equal((await put(ledger, caller, "e", "taken")).code, "OK");
      caller.close();
      await server.kill();

      const again = await site.start({ prefix: disk.prefix });
      const reader = site.caller(again);
      assert.deepEqual(ledger.check(await dump(reader, ["a", "b", "c", "d", "e"])), []);
      reader.close();
      assert.deepEqual(await again.stop(), { code: 0, signal: null });
    });
  }
});
