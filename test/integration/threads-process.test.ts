import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { connectToFronts } from "../support/front-callers.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const FRONTS = 3;
const site = new Site();
after(() => site.remove());

const policy = join(site.folder, "policy.yaml");
const writePolicy = (actions: string) =>
  writeFileSync(
    policy,
    `rules:\n  - {name: x, spiffe_ids: ["spiffe://example.org/**"], paths: ["**"], actions: [${actions}]}\n`,
  );

async function start(node: readonly string[] = []): Promise<ServerProcess> {
  writePolicy("read");
  const flags = ["--threads", String(FRONTS), "--policy", policy, "--log-level", "debug"];
  return site.start({ flags, node });
}

/** A module that Node loads into every thread. In the thread of front 2 it runs `code` when the file exists. */
function inFront2(code: string, trigger: string): readonly string[] {
  const module = join(site.folder, `${trigger}.mjs`);
  writeFileSync(
    module,
    `import { existsSync, writeFileSync } from "node:fs";
     import { isMainThread, workerData } from "node:worker_threads";
     if (!isMainThread && workerData?.config?.number === 1) {
       setInterval(() => { if (existsSync(${JSON.stringify(join(site.folder, trigger))})) { ${code} } }, 10);
     }`,
  );
  return ["--import", module];
}

async function callersOf(server: ServerProcess) {
  let sent = 0;
  const threaded = {
    fronts: FRONTS,
    connect: (id: string) => site.workload(id, server),
    log: async () => {
      sent += 1;
      await server.logged("call", () => server.lines("call").length >= sent);
      return server.log;
    },
  };
  return connectToFronts(threaded, 1);
}

describe("a process with three fronts", () => {
  it("reloads the policy of every front at SIGHUP", async () => {
    const server = await start();
    const callers = await callersOf(server);
    writePolicy("list");
    const before = server.log.length;
    server.signal("SIGHUP");
    await server.loggedAfter(before, ["policy loaded"]);
    for (const { caller } of callers) assert.equal((await caller.get({ path: "none" })).code, "PERMISSION_DENIED");
    for (const { caller } of callers) caller.close();
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  // The environment of a server can hold the credentials of other programs, and a front is the part that peers reach.
  it("gives its fronts only the variables of debug output", async () => {
    const file = join(site.folder, "variables");
    const module = join(site.folder, "variables.mjs");
    writeFileSync(
      module,
      `import { writeFileSync } from "node:fs";
       import { isMainThread, workerData } from "node:worker_threads";
       if (workerData?.config?.number === 1 || isMainThread) {
         writeFileSync(${JSON.stringify(file)} + (isMainThread ? ".main" : ".front"), Object.keys(process.env).join("\\n"));
       }`,
    );
    const prefix = ["env", "TOKEN=secret", "GRPC_VERBOSITY=ERROR"];
    const server = await site.start({ flags: ["--threads", String(FRONTS)], node: ["--import", module], prefix });
    const names = (thread: string) => readFileSync(`${file}.${thread}`, "utf8").split("\n");
    assert.ok(names("main").includes("TOKEN"), "the server has the variable");
    assert.ok(names("front").includes("GRPC_VERBOSITY"));
    assert.deepEqual(
      names("front").filter((name) => !name.startsWith("GRPC_") && name !== "NODE_DEBUG"),
      [],
    );
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  // Another server may own the store from then on, so no front may keep this one alive. lost-store.test.ts shows the
  // same with fronts that run.
  it("ends when it has lost its store, even if the event loop of a front is blocked", async () => {
    const stopped = join(site.folder, "stopped");
    const code = `writeFileSync(${JSON.stringify(stopped)}, ""); for (;;) {}`;
    const server = await start(inFront2(code, "loop"));
    writeFileSync(join(site.folder, "loop"), "");
    await until("front 2 is blocked", () => existsSync(stopped));
    const database = join(site.data, "store", "coffer.db");
    renameSync(database, `${database}.moved`);
    assert.deepEqual(await server.ended, { code: null, signal: "SIGKILL" });
    assert.equal(server.lines("journal failed").length, 1);
    renameSync(`${database}.moved`, database);
  });

  // An uncaught error also ends a server with one thread. The other fronts can't replace one whose thread has ended.
  for (const [what, trigger, code, message] of [
    ["throws an error", "throw", 'throw new TypeError("injected fault")', /TypeError.*: injected fault/],
    ["rejects a promise", "reject", 'Promise.reject(new TypeError("injected fault"))', /TypeError.*: injected fault/],
    ["exits", "exit", "process.exit(0)", /the thread of front 2 ended with exit code 0/],
  ] as const) {
    it(`ends with exit code 1 and the reason when a front ${what}`, async () => {
      const server = await start(inFront2(code, trigger));
      const [first] = await callersOf(server);
      const { caller } = first!;
      assert.equal((await caller.get({ path: "none" })).code, "NOT_FOUND", "it serves before the fault");
      writeFileSync(join(site.folder, trigger), "");
      assert.deepEqual(await server.ended, { code: 1, signal: null });
      assert.match(server.stderr, message);
      caller.close();
    });
  }
});
