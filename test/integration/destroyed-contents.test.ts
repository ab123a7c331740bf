import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { columnsOf } from "../support/dump.ts";
import { foundInMemory } from "../support/memory-search.ts";
import type { Caller } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";

const COUNT = 60;

/** A part of a sealed content that no other one has: behind the header and the nonce. */
const PART = { from: 30, to: 54 };

const site = new Site();
after(() => site.remove());

const paths = Array.from({ length: COUNT }, (_, i) => `destroyed/${i}`);

/** The sealed contents of all paths, as they are on the disk. */
function sealedContents(): readonly Buffer[] {
  const rows = columnsOf(site.data, ["path", "sealed"]) as unknown as [string, Buffer][];
  const byPath = new Map(rows.map(([path, sealed]) => [path, Buffer.from(sealed).subarray(PART.from, PART.to)]));
  return paths.map((path) => byPath.get(path)!);
}

describe("the memory of a server with three fronts", () => {
  let server: ServerProcess;
  let caller: Caller;
  let sealed: readonly Buffer[];

  before(async () => {
    server = await site.start({ flags: ["--threads", "3"] });
    caller = site.caller(server);
    for (const path of paths) assert.equal((await caller.put({ path, data: { key: path.repeat(20) } })).code, "OK");
    sealed = sealedContents();
  });
  after(() => caller.close());

  it("x", async () => {
    console.log("before", foundInMemory(server.pid, sealed).size);
    for (const path of paths) {
      const { code, message } = await caller.call("Destroy", { path });
      assert.equal(code, "OK", message);
    }
    console.log("after", foundInMemory(server.pid, sealed));
  });
});
