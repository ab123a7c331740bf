import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { columnsOf } from "../support/dump.ts";
import { foundInMemory } from "../support/memory-search.ts";
import type { Caller } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";

const COUNT = 60;

/**
 * The maximum number of sealed contents that may remain. That none remains is not proven for each sequence of calls
 * (SECURITY.md). A store that overwrote nothing would leave all.
 */
const LAST_FEW = 5;

/** A part of a sealed content that no other one has: after the header and the nonce. */
const PART = { from: 30, to: 54 };

/** The sealed contents of secrets, by their paths, as they are on the disk. */
function sealedContents(site: Site): ReadonlyMap<string, Buffer> {
  const rows = columnsOf(site.data, ["path", "sealed"]) as unknown as readonly [string, Buffer][];
  return new Map(rows.map(([path, sealed]) => [path, sealed.subarray(PART.from, PART.to)]));
}

const site = new Site();
after(() => site.remove());

interface Filled {
  readonly server: ServerProcess;
  readonly caller: Caller;
  readonly sealed: ReadonlyMap<string, Buffer>;
}

const paths = (folder: string) => Array.from({ length: COUNT }, (_, i) => `${folder}/${i}`);

/** Starts a server with three fronts, and puts {@link COUNT} secrets into each folder. */
async function startFilled(folders: readonly string[]): Promise<Filled> {
  const server = await site.start({ flags: ["--threads", "3"] });
  const caller = site.caller(server);
  for (const path of folders.flatMap(paths)) {
    assert.equal((await caller.put({ path, data: { key: path.repeat(20) } })).code, "OK");
  }
  return { server, caller, sealed: sealedContents(site) };
}

/** The secrets of a folder whose sealed contents are in memory. */
function left({ server, sealed }: Filled, folder: string): readonly string[] {
  const found = foundInMemory(server.pid, [...sealed.values()]);
  return paths(folder).filter((path) => found.has(sealed.get(path)!));
}

async function callAll({ caller }: Filled, call: "Destroy" | "Purge", folder: string): Promise<void> {
  for (const path of paths(folder)) {
    const { code, message } = await caller.call(call, { path });
    assert.equal(code, "OK", message);
  }
}

// The sealed contents of destroyed versions are gone from the memory of all threads when the calls are answered, except for
// LAST_FEW of them. Freed memory is searched too.
describe("the memory of a server with three fronts", () => {
  let filled: Filled;

  before(async () => {
    filled = await startFilled(["destroyed", "purged", "kept"]);
  });
  after(() => filled.caller.close());

  // The control: the search finds the contents that the server needs.
  it("has the sealed contents of all secrets", () => {
    for (const folder of ["destroyed", "purged", "kept"]) assert.deepEqual(left(filled, folder), paths(folder));
  });

  for (const [call, folder] of [
    ["Destroy", "destroyed"],
    ["Purge", "purged"],
  ] as const) {
    it(`does not keep the sealed contents of secrets after a ${call}`, async () => {
      await callAll(filled, call, folder);
      const remaining = left(filled, folder);
      assert.ok(remaining.length <= LAST_FEW, remaining.join());
      assert.deepEqual(left(filled, "kept"), paths("kept"));
    });
  }
});
