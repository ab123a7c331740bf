import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { columnsOf } from "../support/dump.ts";
import { foundInMemory } from "../support/memory-search.ts";
import type { Caller } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";

const COUNT = 60;

/**
 * SQLite frees buffers without overwriting them (SECURITY.md). With this setting, the C library overwrites what is freed,
 * so that a search finds what is in use.
 */
const OVERWRITE_FREED = ["env", "GLIBC_TUNABLES=glibc.malloc.perturb=1"];

/**
 * The maximum number of sealed contents that may remain: SQLite keeps a page for its next use, which has about ten of
 * them, and the C library does not overwrite the smallest pieces. A store that overwrote nothing would leave all.
 */
const LAST_FEW = 20;

/** A part of a sealed content that no other one has: after the header and the nonce. */
const PART = { from: 30, to: 54 };

const site = new Site();
after(() => site.remove());

/** The sealed contents of secrets, by their paths, as they are on the disk. */
function sealedContents(): ReadonlyMap<string, Buffer> {
  const rows = columnsOf(site.data, ["path", "sealed"]) as unknown as readonly [string, Buffer][];
  return new Map(rows.map(([path, sealed]) => [path, sealed.subarray(PART.from, PART.to)]));
}

// The sealed content of a destroyed version is gone from the memory of all threads when the call is answered.
describe("the memory of a server with three fronts", () => {
  const paths = (folder: string) => Array.from({ length: COUNT }, (_, i) => `${folder}/${i}`);
  let server: ServerProcess;
  let caller: Caller;
  let sealed: ReadonlyMap<string, Buffer>;

  before(async () => {
    server = await site.start({ flags: ["--threads", "3"], prefix: OVERWRITE_FREED });
    caller = site.caller(server);
    for (const path of ["destroyed", "purged", "kept"].flatMap(paths)) {
      assert.equal((await caller.put({ path, data: { key: path.repeat(20) } })).code, "OK");
    }
    sealed = sealedContents();
  });
  after(() => caller.close());

  /** The secrets of a folder whose sealed contents are in memory. */
  function left(folder: string): readonly string[] {
    const found = foundInMemory(server.pid, [...sealed.values()]);
    return paths(folder).filter((path) => found.has(sealed.get(path)!));
  }

  // The control: the search finds the contents that the server needs.
  it("has the sealed contents of all secrets", () => {
    for (const folder of ["destroyed", "purged", "kept"]) assert.deepEqual(left(folder), paths(folder));
  });

  for (const [call, folder] of [
    ["Destroy", "destroyed"],
    ["Purge", "purged"],
  ] as const) {
    it(`does not keep the sealed contents of secrets after a ${call}`, async () => {
      for (const path of paths(folder)) {
        const { code, message } = await caller.call(call, { path });
        assert.equal(code, "OK", message);
      }
      const remaining = left(folder);
      assert.ok(remaining.length <= LAST_FEW, remaining.join());
      assert.deepEqual(left("kept"), paths("kept"));
    });
  }
});
