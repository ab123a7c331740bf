import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { MAX_UNANSWERED_CHANGES } from "../../src/store/bounded-changes.ts";
import { Site } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const site = new Site();
after(() => site.remove());

// More Puts than may wait. The budget of one SPIFFE ID lets fewer than 100 of its Puts wait.
const CALLERS = 100;
const PUTS = 60;

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

describe("a server with three fronts whose disk stalls", () => {
  // The store thread does not read the changes that fronts send to it while a commit waits, so it can't refuse any. Without
  // a limit in the fronts, the refusals would come when the disk works again, and memory would grow until then.
  it("refuses changes with QUEUE_FULL during the stall, and answers Gets and the other changes", async () => {
    const policy = file("policy.yaml");
    const rule = '{name: x, spiffe_ids: ["spiffe://example.org/**"], paths: ["**"], actions: [read, write]}';
    writeFileSync(policy, `rules:\n  - ${rule}\n`);
    const server = await site.start({
      flags: ["--threads", "3", "--policy", policy],
      node: ["--import", stallingModule()],
    });
    const callers = Array.from({ length: CALLERS }, (_, n) => site.workload(`spiffe://example.org/${n}`, server));
    for (const caller of callers) assert.equal((await caller.get({ path: "none" })).code, "NOT_FOUND");

    writeFileSync(file("stall"), "");
    await until("the store thread stands still", () => existsSync(file("stalled")));
    const answers: string[] = [];
    const puts = callers.flatMap((caller, n) =>
      Array.from({ length: PUTS }, async (_, i) => {
        const { code, reason } = await caller.put({ path: `p/${n}/${i}`, data: { v: "x" } });
        answers.push(code === "OK" ? code : String(reason));
      }),
    );
    await until("every Put above the limit is refused", () => answers.length === puts.length - MAX_UNANSWERED_CHANGES);
    assert.deepEqual(new Set(answers), new Set(["QUEUE_FULL"]));
    assert.equal((await callers[0]!.get({ path: "none" })).code, "NOT_FOUND");
    rmSync(file("stall"));
    await Promise.all(puts);
    assert.equal(answers.filter((answer) => answer === "OK").length, MAX_UNANSWERED_CHANGES);
    for (const caller of callers) caller.close();
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});
