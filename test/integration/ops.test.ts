import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { after, before, beforeEach, describe, it } from "node:test";
import { connect } from "node:tls";
import { CofferServer } from "../../src/app/server.ts";
import { processTimers } from "../../src/domain/timers.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { ADMIN, API, type Caller, PASSED, ServerKit, WEB } from "../support/server-kit.ts";

/**
 * Time passes only when a test advances it. It is ahead of the machine's clock, by which the SVIDs are issued: each has to be
 * valid for the server, however long the tests take. No commit starts while `held` is a list.
 */
let now = Date.now() + 3_600_000;
let held: (() => void)[] | undefined;
const timers = {
  ...processTimers,
  clock: () => now,
  afterTurn: (task: () => void) => (held === undefined ? processTimers.afterTurn(task) : void held.push(task)),
};

let kit: ServerKit;
let admin: Caller;
let api: Caller;
let web: Caller;

before(async () => {
  kit = await ServerKit.start({}, timers);
  [admin, api, web] = [kit.caller(ADMIN), kit.caller(API), kit.caller(WEB)];
});

// Each test uses another second, so that log lines suppressed in one test do not affect the next.
beforeEach(() => {
  now += 1000;
});

after(async () => {
  for (const caller of [admin, api, web]) caller.close();
  await kit.stop();
});

const lines = (event: string) => kit.log.filter((line) => line.event === event);

async function page(name: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`${kit.opsUrl}${name}`);
  return { status: response.status, body: await response.text() };
}

/** Connects without a certificate, and waits for the refusal. */
async function refused(): Promise<void> {
  const port = kit.address.kind === "tcp" ? kit.address.port : 0;
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] });
  socket.on("error", () => {});
  // Not by once() of node:events, which rejects if the refusal arrives as an error.
  await new Promise((resolve) => socket.once("close", resolve));
}

describe("the ops listener", () => {
  it("reports that the server is live and ready while it serves", async () => {
    assert.deepEqual(await page("/livez"), { status: 200, body: "ok\n" });
    assert.deepEqual(await page("/readyz"), { status: 200, body: "identity ok\nstore ok\njournal ok\nserving ok\n" });
  });

  // The server is not ready from the start of the shutdown, also while calls in progress complete, so that a load
  // balancer sends it no more calls.
  it("reports from the start of a shutdown that the server is live and not ready", async () => {
    held = [];
    const put = admin.put({ path: "ops/last", data: { value: "x" } });
    while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const restarted = kit.restart(timers);
    assert.deepEqual(await page("/readyz"), {
      status: 503,
      body: "identity ok\nstore ok\njournal ok\nserving not ready: stopping\n",
    });
    assert.equal((await page("/livez")).status, 200);
    const tasks = held;
    held = undefined;
    for (const task of tasks) task();
    assert.equal((await put).code, "OK");
    await restarted;
    assert.equal((await page("/readyz")).status, 200);
    for (const caller of [admin, api, web]) caller.close();
    [admin, api, web] = [kit.caller(ADMIN), kit.caller(API), kit.caller(WEB)];
  });

  // The log has paths and callers, for those who may read it. Everyone who can reach the port can read the metrics.
  it("counts calls and refused connections, and names neither a path nor a caller", async () => {
    await api.put({ path: "shop/api/counted", data: { value: "x" } });
    await api.get({ path: "shop/api/never-written" });
    await web.get({ path: "shop/api/counted" });
    await refused();
    const { status, body } = await page("/metrics");
    assert.equal(status, 200);
    const handled = (method: string, code: string) =>
      `grpc_server_handled_total{grpc_type="unary",grpc_service="coffer.v1.Secrets",grpc_method="${method}",grpc_code="${code}"} 1`;
    for (const line of [
      handled("Put", "OK"),
      handled("Get", "NotFound"),
      handled("Get", "PermissionDenied"),
      'coffer_connections_refused_total{reason="no-certificate"} 1',
      "coffer_connections 2",
    ]) {
      assert.ok(body.split("\n").includes(line), line);
    }
    assert.doesNotMatch(body, /spiffe:|shop|counted/);
  });
});

// Two servers on one machine, each with its own data, both use the default address: the second one names the option to
// change. If both have the same data, the second names the first one instead (test/durability/single-owner.test.ts).
it("an ops address that is in use is refused, with the name of its option", async () => {
  const log = createLogger("error", process.stderr);
  const config = { ...kit.config, store: { kind: "memory" as const }, opsListen: kit.server.opsAddress };
  const second = new CofferServer(config, { log, timers, die: () => {}, probe: PASSED });
  await assert.rejects(second.start(), { name: "StartRefused", message: /^--ops-listen: .* \(EADDRINUSE\)/ });
});

// A signal may come at any moment, and twice. A journal that is already closed must not count as a failed disk.
describe("a shutdown", () => {
  const log = createLogger("error", process.stderr);
  const die = () => assert.fail("the server would have killed its process");

  it("may be requested twice, and after a refused start", async () => {
    const other = await ServerKit.start();
    await Promise.all([other.server.stop(), other.server.stop()]);
    await other.server.stop();
    const address = other.config.listen[0]!;
    const taken = { ...other.config, listen: [address, kit.address] };
    const refused = new CofferServer(taken, { log, timers: processTimers, die, probe: PASSED });
    const start = refused.start();
    const stop = refused.stop();
    await Promise.allSettled([start, stop]);
    await refused.stop();
    const again = new CofferServer(taken, { log, timers: processTimers, die, probe: PASSED });
    await assert.rejects(again.start(), { name: "StartRefused" });
    await again.stop();
    assert.deepEqual(other.deaths, []);
    await other.stop();
  });
});

// Clients can cause these lines at any rate, some of them without an SVID. They must not be able to fill the disk.
describe("log lines that clients cause", () => {
  const causes: [event: string, reason: string, cause: () => Promise<unknown>][] = [
    ["connection refused", "no-certificate", refused],
    ["call denied", "ACCESS_DENIED", () => web.get({ path: "hidden/x" })],
  ];
  for (const [event, reason, cause] of causes) {
    it(`are limited to ten a second for "${event}", and the next one counts the suppressed ones`, async () => {
      const before = lines(event).length;
      for (let i = 0; i < 25; i++) await cause();
      assert.equal(lines(event).length - before, 10);
      now += 1000;
      await cause();
      const last = lines(event).at(-1);
      assert.equal(lines(event).length - before, 11);
      assert.deepEqual([last?.["reason"], last?.["suppressed"]], [reason, 15]);
    });
  }

  it("are limited separately for each reason", async () => {
    for (let i = 0; i < 11; i++) await refused();
    await web.get({ path: "hidden/other" });
    assert.equal(lines("call denied").at(-1)?.["path"], "hidden/other");
  });
});

describe("the policy", () => {
  const rule = (path: string) =>
    `  - {name: r, spiffe_ids: ["${WEB}"], paths: ["${path}"], actions: [read, write, list]}\n`;
  const outcomes = () => lines("policy loaded").length + lines("policy reload failed").length;
  /** Changes the file. Resolves when the log has the result. */
  const result = async (change: () => void) => {
    const before = outcomes();
    change();
    kit.server.reload();
    while (outcomes() === before) await new Promise((resolve) => setImmediate(resolve));
  };
  const adopt = (text: string) => result(() => writeFileSync(kit.config.policy!, text));
  const codes = (caller: Caller, ...paths: string[]) =>
    Promise.all(paths.map(async (path) => (await caller.put({ path, data: { value: "x" } })).code));

  it("is replaced completely, also for open connections", async () => {
    assert.deepEqual(await codes(web, "policy/a", "policy/b"), ["PERMISSION_DENIED", "PERMISSION_DENIED"]);
    assert.deepEqual(await codes(api, "shop/api/x"), ["OK"]);
    await adopt(`rules:\n${rule("policy/a")}`);
    assert.deepEqual(await codes(web, "policy/a", "policy/b"), ["OK", "PERMISSION_DENIED"]);
    assert.deepEqual(await codes(api, "shop/api/x"), ["PERMISSION_DENIED"]);
  });

  // A file with one valid and one invalid rule is invalid: the valid rule does not come into force, and all problems
  // are logged.
  it("stays in force if the new one has a problem", async () => {
    await adopt(`rules:\n${rule("policy/a")}`);
    await adopt(`rules:\n${rule("policy/b")}${rule("policy/*x")}${rule("policy/../c")}`);
    assert.deepEqual(await codes(web, "policy/a", "policy/b"), ["OK", "PERMISSION_DENIED"]);
    const faults = lines("policy reload failed").map((line) => String(line["detail"]));
    assert.deepEqual(
      faults.map((fault) => /policy\.yaml:(\d):/.exec(fault)?.[1]),
      ["3", "4"],
    );
  });

  it("stays in force if the file is missing or not text", async () => {
    await adopt(`rules:\n${rule("policy/a")}`);
    const kept = lines("policy reload failed").length;
    await adopt("\0");
    await result(() => rmSync(kit.config.policy!));
    assert.deepEqual(await codes(web, "policy/a"), ["OK"]);
    assert.equal(lines("policy reload failed").length, kept + 2);
  });

  it("allows every action to an admin, with any rules", async () => {
    await adopt("rules: []\n");
    assert.deepEqual(await codes(admin, "policy/a"), ["OK"]);
    assert.deepEqual(await codes(web, "policy/a"), ["PERMISSION_DENIED"]);
  });
});

describe("the log", () => {
  const CANARY = "canary-7d1f0b";
  const bytes = Buffer.from(CANARY);

  // Calls every method at debug level, with requests that succeed, that fail and that are malformed. Each Put carries
  // the value.
  it("never contains a value", async () => {
    const content = { data: { text: CANARY }, binary_data: { bytes } };
    const path = "canary/secret";
    assert.equal((await admin.put({ path, ...content })).code, "OK");
    assert.equal((await admin.get({ path })).response.data.text, CANARY);
    const requests: [method: string, request: object][] = [
      ["Describe", { path }],
      ["List", { prefix: "canary/" }],
      ["Put", { path, ...content, expected_version: 7 }],
      ["Put", { path: "a//b", ...content }],
      ["Put", { path, data: { "bad key": CANARY } }],
      ["Put", { path, data: { twice: CANARY }, binary_data: { twice: bytes } }],
      ["Put", { path, data: { text: CANARY.repeat(100_000) } }],
      ["Put", { path, data: { text: CANARY.repeat(400_000) } }],
      ["Delete", { path }],
      ["Get", { path }],
    ];
    const messages: string[] = [];
    for (const [method, request] of requests) messages.push((await admin.call(method, request)).message);
    messages.push((await web.put({ path, ...content })).message);
    messages.push((await admin.raw("Put", Buffer.concat([Buffer.from([0x12, 0x7f, 0x12, 0x7e]), bytes]))).message);
    messages.push((await admin.raw("Put", Buffer.concat([Buffer.from([0x0a, 0x0e, 0xff]), bytes]))).message);

    const logged = JSON.stringify(kit.log);
    for (const method of ["Put", "Get", "Delete", "List", "Describe"]) {
      assert.ok(logged.includes(`/coffer.v1.Secrets/${method}`), method);
    }
    assert.ok(logged.includes("canary/secret"), "the log does not have the path, which it should");
    const forms = [CANARY, bytes.toString("base64").slice(0, -2), bytes.toString("hex"), [...bytes].join(",")];
    for (const form of forms) {
      assert.ok(!logged.includes(form), `the log has ${form}`);
      assert.ok(!messages.join("\n").includes(form), `an error has ${form}`);
    }
  });
});
