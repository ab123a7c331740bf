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
 * What TLS decrypted or encrypted last stays in memory that OpenSSL and Node have for it, until the next call uses that
 * (SECURITY.md). A store that overwrote nothing leaves all of them.
 */
const LAST_FEW = 10;

const newMark = () => Buffer.from(randomBytes(12).toString("hex"));
const numbers = Array.from({ length: COUNT }, (_, index) => String(index).padStart(3, "0"));

describe("the memory of a server", () => {
  const [path, text, binary] = [newMark(), newMark(), newMark()];
  let server: ServerProcess;
  let caller: Caller;

  before(async () => {
    server = await site.start();
    caller = site.caller(server);
    for (const index of numbers) {
      const { code } = await caller.put({
        path: `marked/${path}${index}`,
        data: { text: `${text}${index}` },
        // Longer than the buffer in which an answer is written at first.
        binary_data: { binary: Buffer.alloc(2000, `${binary}${index} `) },
      });
      assert.equal(code, "OK");
    }
  });
  after(() => caller.close());

  /** Which of the secrets have something with this mark in memory. */
  function left(mark: Buffer): readonly string[] {
    const found = markedInMemory(server.pid, mark, 3);
    return numbers.filter((index) => found.has(index));
  }

  // The control: what is kept in clear on purpose is found, in each secret.
  it("has the paths of secrets in clear", () => {
    assert.deepEqual(left(path), numbers);
  });

  it("does not keep values that were only put", () => {
    for (const mark of [text, binary]) assert.ok(left(mark).length <= LAST_FEW, left(mark).join());
  });

  it("does not keep values that were read", async () => {
    for (const index of numbers) {
      const { response } = await caller.get({ path: `marked/${path}${index}` });
      assert.equal(response.data.text, `${text}${index}`);
    }
    for (const mark of [text, binary]) assert.ok(left(mark).length <= LAST_FEW, left(mark).join());
  });
});
