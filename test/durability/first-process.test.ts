import assert from "node:assert/strict";
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { contentOf, storedValue } from "../support/dump.ts";
import { failNext, whyNoFaults } from "../support/failing-disk.ts";
import { Site } from "../support/server-process.ts";
import { asFirstProcess, firstProcess, whyNoSurroundings } from "../support/surroundings.ts";

/** The writes and syncs after the failed call, as lines of strace, which begin with the process id. */
function callsAfterFault(trace: string): string[] {
  const lines = readFileSync(trace, "latin1").split("\n");
  const fault = lines.findIndex((line) => line.includes("(INJECTED)"));
  assert.notEqual(fault, -1, "strace injected an error");
  return lines.slice(fault + 1).filter((line) => /^\d+ +(<\.\.\. )?(fsync|fdatasync|pwrite64)/.test(line));
}

// The kernel treats the first process of a container differently (pid_namespaces(7)): a signal without a handler has no
// effect, and SIGKILL from inside the container has none either.
describe("a server that is process 1", { skip: whyNoSurroundings() ?? false }, () => {
  let site: Site;
  beforeEach(() => {
    site = new Site();
  });
  afterEach(() => site.remove());

  const start = () => site.start({ prefix: asFirstProcess(site) });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`shuts down gracefully on ${signal}`, async () => {
      const server = await start();
      process.kill(firstProcess(server).pid, signal);
      assert.deepEqual(await server.ended, { code: 0, signal: null }, server.stderr);
      assert.equal(server.lines("stopped").length, 1);
    });
  }

  it("reloads its identity and policy on SIGHUP, and continues to serve", async () => {
    const server = await start();
    const { pid } = firstProcess(server);
    process.kill(pid, "SIGHUP");
    await server.logged("signal received", (line) => line["signal"] === "SIGHUP");
    const caller = site.caller(server);
    assert.equal((await caller.put({ path: "a", ...contentOf("1") })).code, "OK");
    caller.close();
    process.kill(pid, "SIGTERM");
    assert.deepEqual(await server.ended, { code: 0, signal: null });
  });

  // Process 1 can't kill itself by SIGKILL. If the server continued to run, /livez would return 200 forever although
  // every change fails. It exits instead. The exit must not write the files of the store, as the exit hook of
  // better-sqlite3 would by closing the database.
  const CALLS = [
    { call: "sync", file: "coffer.db-wal", when: "a commit" },
    { call: "write", file: "coffer.db", when: "a checkpoint" },
  ] as const;
  for (const { call, file, when } of CALLS) {
    it(`ends when the disk fails during ${when}`, { skip: whyNoFaults() ?? false }, async () => {
      const server = await start();
      const caller = site.caller(server);
      assert.equal((await caller.put({ path: "kept", ...contentOf("before") })).code, "OK");
      const trace = join(site.folder, "trace");
      await failNext(firstProcess(server), { call, file: join(realpathSync(site.data), "store", file), trace });
      // A checkpoint is due after 4 MiB.
      const large = "x".repeat(900_000);
      for (let n = 0, code = "OK"; code === "OK" && n < 10; n++) {
        ({ code } = await caller.put({ path: `large/${n}`, ...contentOf(large) }));
      }
      assert.deepEqual(await server.ended, { code: 137, signal: null }, server.stderr);
      assert.equal(server.lines("journal failed").length, 1);
      assert.deepEqual(callsAfterFault(trace), []);
      caller.close();
      const again = await site.start();
      const reader = site.caller(again);
      assert.equal(storedValue((await reader.get({ path: "kept" })).response), "before");
      reader.close();
      assert.deepEqual(await again.stop(), { code: 0, signal: null });
    });
  }
});
