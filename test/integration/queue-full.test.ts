import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { MAX_UNANSWERED_CHANGES } from "../../src/store/bounded-changes.ts";
import type { Caller } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const site = new Site();
after(() => site.remove());

// More Puts than may wait. The budget of one SPIFFE ID lets fewer than 100 of its Puts wait.
const CALLERS = 100;
const PUTS = 60;

/** Together more Puts than may wait. */
const CONNECTIONS = 20;
const PUTS_EACH = 220;

const file = (name: string) => join(site.folder, name);

/** A module that stops the main thread, as a commit does that waits for the disk, while the file "stalled" exists. */
function stallingModule(): string {
  const [module, stall, stalled] = ["stall.mjs", "stall", "stalled"].map(file);
  writeFileSync(
    module!,
    `import { existsSync, writeFileSync } from "node:fs";
     import { isMainThread } from "node:worker_threads";
     const cell = new Int32Array(new SharedArrayBuffer(4));
     const [stall, stalled] = ${JSON.stringify([stall, stalled])};
     if (isMainThread) setInterval(() => {
       for (; existsSync(stall); Atomics.wait(cell, 0, 0, 10)) writeFileSync(stalled, "");
     }, 10).unref();`,
  );
  return module!;
}

/** The server of a test, whose policy allows every caller to read and write. */
async function startStallable(): Promise<ServerProcess> {
  const policy = file("policy.yaml");
  const rule = '{name: x, spiffe_ids: ["spiffe://example.org/**"], paths: ["**"], actions: [read, write]}';
  writeFileSync(policy, `rules:\n  - ${rule}\n`);
  return site.start({ flags: ["--threads", "3", "--policy", policy], node: ["--import", stallingModule()] });
}

/** Callers with a connection each. They have the same SPIFFE ID if their names are equal. */
async function connected(server: ServerProcess, names: readonly string[]): Promise<Caller[]> {
  const callers = names.map((name) => site.workload(`spiffe://example.org/${name}`, server));
  for (const caller of callers) assert.equal((await caller.get({ path: "none" })).code, "NOT_FOUND");
  return callers;
}

async function stallDisk(): Promise<void> {
  rmSync(file("stalled"), { force: true });
  writeFileSync(file("stall"), "");
  await until("the store thread stands still", () => existsSync(file("stalled")));
}

/**
 * Each caller makes Puts, one in each turn of the event loop: the server closes a connection whose client does not answer its
 * PING, and on a slow machine all Puts together take too long. Their results arrive in `answers`.
 */
async function putAll(callers: readonly Caller[], each: number, answers: string[]): Promise<Promise<void>[]> {
  const puts: Promise<void>[] = [];
  for (let i = 0; i < each; i++) {
    for (const [n, caller] of callers.entries()) puts.push(putOne(caller, `p/${n}/${i}`, answers));
    await setImmediate();
  }
  return puts;
}

async function putOne(caller: Caller, path: string, answers: string[]): Promise<void> {
  const { code, reason, message } = await caller.put({ path, data: { v: "x" } });
  answers.push(code === "OK" ? code : (reason ?? `${code}: ${message}`));
}

describe("a server with three fronts whose disk stalls", () => {
  // The store thread does not read the changes that fronts send to it while a commit waits, so it can't refuse any. Without
  // a limit in the fronts, the refusals would come when the disk works again, and memory would grow until then.
  it("refuses changes with QUEUE_FULL during the stall, and answers Gets and the other changes", async () => {
    const server = await startStallable();
    const callers = await connected(
      server,
      Array.from({ length: CALLERS }, (_, n) => `${n}`),
    );
    await stallDisk();
    const answers: string[] = [];
    const puts = await putAll(callers, PUTS, answers);
    await until("the Puts above the limit are refused", () => answers.length >= puts.length - MAX_UNANSWERED_CHANGES);
    assert.deepEqual(new Set(answers), new Set(["QUEUE_FULL"]));
    assert.equal((await callers[0]!.get({ path: "none" })).code, "NOT_FOUND");
    rmSync(file("stall"));
    await Promise.all(puts);
    const accepted = answers.filter((answer) => answer === "OK").length;
    assert.ok(accepted <= MAX_UNANSWERED_CHANGES && accepted > MAX_UNANSWERED_CHANGES / 2, `${accepted} Puts`);
    assert.deepEqual(new Set(answers), new Set(["OK", "QUEUE_FULL"]));
    for (const caller of callers) caller.close();
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  // A caller with many connections can have as many Puts in flight as may wait in all.
  it("accepts the Put of another caller although one caller has filled its part of the queue", async () => {
    const server = await startStallable();
    const [other, ...busy] = await connected(server, ["other", ...Array<string>(CONNECTIONS).fill("busy")]);
    await stallDisk();
    const answers: string[] = [];
    const puts = await putAll(busy, PUTS_EACH, answers);
    await until("Puts of the busy caller are refused", () => answers.length >= puts.length - MAX_UNANSWERED_CHANGES);
    const put = other!.put({ path: "p/other", data: { v: "x" } });
    // Its front has seen the Put, because it answers a later call on the same connection.
    assert.equal((await other!.get({ path: "none" })).code, "NOT_FOUND");
    rmSync(file("stall"));
    assert.equal((await put).code, "OK");
    await Promise.all(puts);
    for (const caller of [other!, ...busy]) caller.close();
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});
