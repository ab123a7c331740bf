import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { markedInMemory } from "../support/memory-search.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import type { Caller } from "../support/server-kit.ts";

const site = new Site();
after(() => site.remove());

const COUNT = 100;

/**
 * The maximum number of values that may remain. The bytes that TLS decrypted or encrypted last stay in buffers of
 * OpenSSL and Node until the next call overwrites them (SECURITY.md). A store that overwrote nothing would leave all
 * values.
 */
const LAST_FEW = 10;

const newMark = () => Buffer.from(randomBytes(12).toString("hex"));
const numbers = Array.from({ length: COUNT }, (_, index) => String(index).padStart(3, "0"));

describe("the memory of a server", () => {
  const [path, text, binary] = [newMark(), newMark(), newMark()];
  const [patched, committed] = [newMark(), newMark()];
  let server: ServerProcess;
  let caller: Caller;

  before(async () => {
    server = await site.start();
    caller = site.caller(server);
    for (const index of numbers) {
      const { code } = await caller.put({
        path: `marked/${path}${index}`,
        data: { text: `${text}${index}` },
        // The value is longer than the initial buffer of an answer.
        binary_data: { binary: Buffer.alloc(2000, `${binary}${index} `) },
      });
      assert.equal(code, "OK");
      const patch = { path: `marked/${path}${index}`, data: { patched: `${patched}${index}` } };
      assert.equal((await caller.call("Patch", patch)).code, "OK");
      const put = { path: `marked/commit/${index}`, data: { committed: `${committed}${index}` } };
      const copy = { source: put.path, target: `marked/copy/${index}` };
      assert.equal((await caller.call("Commit", { operations: [{ put }, { copy }] })).code, "OK");
    }
  });
  after(() => caller.close());

  /** The secrets of which something with this mark is in memory. */
  function left(mark: Buffer): readonly string[] {
    const found = markedInMemory(server.pid, mark, 3);
    return numbers.filter((index) => found.has(index));
  }

  // The control: the search finds data of each secret that is deliberately kept in plain text.
  it("has the paths of secrets in plain text", () => {
    assert.deepEqual(left(path), numbers);
  });

  it("does not keep values that were only put, patched, committed or copied", () => {
    for (const mark of [text, binary, patched, committed]) assert.ok(left(mark).length <= LAST_FEW, left(mark).join());
  });

  it("does not keep values that were read", async () => {
    for (const index of numbers) {
      const { response } = await caller.get({ path: `marked/${path}${index}` });
      assert.equal(response.data.text, `${text}${index}`);
      const paths = [`marked/${path}${index}`, `marked/copy/${index}`];
      const { entries } = (await caller.call("BatchGet", { paths })).response;
      assert.equal(entries[0].secret.data.patched, `${patched}${index}`);
      assert.equal(entries[1].secret.data.committed, `${committed}${index}`);
    }
    for (const mark of [text, binary, patched, committed]) assert.ok(left(mark).length <= LAST_FEW, left(mark).join());
  });
});
