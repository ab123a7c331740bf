import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";
import { after, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { ofThisFile } from "../support/children.ts";
import { PROGRAM, coffer } from "../support/cli-kit.ts";
import { fetchOps } from "../support/fetch-ops.ts";
import { freePort } from "../support/free-port.ts";
import { ADMIN, type Caller, type LogLine, ServerKit, WEB } from "../support/server-kit.ts";
import { textOf } from "../support/text-of.ts";
import { until } from "../support/until.ts";

/** The part of Convergence that the tests check. The decoder leaves out zeros and empty lists. */
interface Convergence {
  readonly watchers?: number;
  readonly converged?: number;
  readonly behind?: readonly { readonly instance: string; readonly version: number }[];
}

const SECRET = "hunter2";

const POLICY = `
rules:
  - name: web
    spiffe_ids: [${WEB}]
    paths: [shop/**]
    actions: [read, watch]
`;

/** A running `coffer agent`. */
class AgentProcess {
  readonly log: LogLine[] = [];
  /** Everything that it has written. */
  output = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<readonly unknown[]>;

  constructor(config: string, env: Readonly<Record<string, string>>) {
    const options = {
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["ignore", "ignore", "pipe"] as ["ignore", "ignore", "pipe"],
    };
    this.#child = ofThisFile(spawn(process.execPath, [PROGRAM, "agent", "-c", config], options));
    this.#ended = once(this.#child, "close");
    createInterface({ input: this.#child.stderr! }).on("line", (line) => {
      this.output += `${line}\n`;
      if (line.startsWith("{")) this.log.push(JSON.parse(line) as LogLine);
    });
  }

  logged(event: string): Promise<unknown> {
    return until(`the log has "${event}"`, () => this.log.find((line) => line.event === event));
  }

  async stop(): Promise<unknown> {
    this.#child.kill("SIGTERM");
    const [code] = await this.#ended;
    return code;
  }
}

describe("coffer agent", () => {
  let kit: ServerKit;
  let admin: Caller;
  let env: Record<string, string>;
  let memory: string;
  before(async () => {
    kit = await ServerKit.start();
    writeFileSync(kit.config.policy!, POLICY);
    kit.server.reload();
    await until("the policy is loaded", () => kit.log.filter(({ event }) => event === "policy loaded").length > 1);
    await kit.settled();
    env = callerVariables(kit, WEB, "agent");
    admin = kit.caller(ADMIN);
    memory = mkdtempSync("/dev/shm/coffer-agent-");
    await put("shop/db", { user: "app", password: SECRET });
  });
  after(async () => {
    admin.close();
    await kit.stop();
    rmSync(memory, { recursive: true });
  });

  async function put(path: string, data: Readonly<Record<string, string>>): Promise<void> {
    assert.equal((await admin.put({ path, data })).code, "OK");
  }

  function configFile(name: string, text: string): string {
    const file = join(kit.folder, `${name}.yaml`);
    writeFileSync(file, text.replaceAll("DIR", join(memory, name)));
    mkdirSync(join(memory, name));
    return file;
  }

  it("follows a secret, and serves probes and metrics without its path or its values", async () => {
    const port = await freePort();
    const config = configFile(
      "follow",
      `listen: 127.0.0.1:${port}
targets:
  - name: db
    directory: DIR/set
    files:
      - {file: pgpass, template: "*:*:*:{{db.user}}:{{db.password}}", secrets: {db: shop/db}}
      - {file: password, secret: shop/db, key: password}
    on_change: {command: [/bin/sh, -c, "echo run >>DIR/runs"]}
`,
    );
    const directory = join(memory, "follow/set");
    const runs = () => textOf(join(memory, "follow/runs"));
    const fetched = async (page: string) => {
      const response = await fetchOps(`http://127.0.0.1:${port}${page}`);
      return { status: response.status, body: await response.text() };
    };
    const agent = new AgentProcess(config, env);
    await agent.logged("target current");
    assert.equal(readFileSync(join(directory, "pgpass"), "utf8"), `*:*:*:app:${SECRET}`);
    assert.equal(readFileSync(join(directory, "password"), "utf8"), SECRET);
    assert.equal(statSync(join(directory, "password")).mode & 0o777, 0o400);
    assert.equal(runs(), "run\n");
    assert.deepEqual(await fetched("/livez"), { status: 200, body: "ok\n" });
    assert.deepEqual(await fetched("/readyz"), { status: 200, body: "db ok\n" });
    assert.equal((await fetched("/status")).status, 404);
    await put("shop/db", { user: "other", password: `${SECRET}-2` });
    await until("the command runs again", () => runs() === "run\nrun\n");
    assert.equal(readFileSync(join(directory, "pgpass"), "utf8"), `*:*:*:other:${SECRET}-2`);
    const { body } = await fetched("/metrics");
    assert.match(body, /^coffer_agent_writes_total\{target="db"\} 2$/m);
    assert.match(body, /^coffer_agent_connected 1$/m);
    assert.doesNotMatch(body, /shop|hunter/);
    assert.equal(await agent.stop(), 0);
    assert.doesNotMatch(agent.output, /hunter/);
    // The files stay, and so they are right when the next agent starts.
    const next = new AgentProcess(config, env);
    await next.logged("target current");
    assert.equal(await next.stop(), 0);
    assert.equal(runs(), "run\nrun\n");
    assert.ok(!next.log.some(({ event }) => event === "files written"));
  });

  // An operator destroys the old version when the workload uses the new one, and not when the file has arrived.
  it("reports a version as in use only when the command for it has succeeded", async () => {
    const config = configFile(
      "report",
      `instance: pod-7
targets:
  - name: rotated
    directory: DIR/set
    secret: shop/rotated
    on_change: {command: [/bin/sh, -c, "while [ -e DIR/hold ]; do sleep 0.1; done"]}
`,
    );
    const convergence = async () => {
      const { response } = await admin.describe({ path: "shop/rotated" });
      const { watchers = 0, converged = 0, behind = [] } = response.convergence as Convergence;
      return { watchers, converged, behind: behind.map(({ instance, version }) => `${instance} ${version}`) };
    };
    await put("shop/rotated", { k: "1" });
    const agent = new AgentProcess(config, env);
    await agent.logged("target current");
    const converged = { watchers: 1, converged: 1, behind: [] };
    await until("version 1 is in use", async () => isDeepStrictEqual(await convergence(), converged));
    const hold = join(memory, "report/hold");
    writeFileSync(hold, "");
    await put("shop/rotated", { k: "2" });
    await until("the file has version 2", () => textOf(join(memory, "report/set/k")) === "2");
    assert.deepEqual(await convergence(), { watchers: 1, converged: 0, behind: ["pod-7 1"] });
    rmSync(hold);
    await until("version 2 is in use", async () => isDeepStrictEqual(await convergence(), converged));
    assert.equal(await agent.stop(), 0);
  });

  it("is ready only when all targets are complete, in whichever order server, policy and secrets appear", async () => {
    const port = await freePort();
    const config = configFile(
      "order",
      `listen: 127.0.0.1:${port}\ntargets: [{name: late, file: DIR/late, secret: shop/late, key: k}]\n`,
    );
    const agent = new AgentProcess(config, env);
    await agent.logged("target waits");
    const readiness = async () => (await fetchOps(`http://127.0.0.1:${port}/readyz`)).text();
    assert.equal(await readiness(), "late not ready: waiting\n");
    await put("shop/late", { k: "v" });
    await agent.logged("target current");
    assert.equal(await readiness(), "late ok\n");
    assert.equal(await agent.stop(), 0);
  });

  it("--once writes everything, runs no command, and exits with 0", async () => {
    const config = configFile(
      "once",
      `targets:
  - {name: db, directory: DIR/set, secret: shop/db, on_change: {command: [/bin/sh, -c, "echo run >>DIR/runs"]}}
  - {name: one, file: DIR/one, secret: shop/db, key: user}
`,
    );
    const { code, stderr } = await coffer(["agent", "-c", config, "--once", "--wait", "10m"], { env });
    assert.equal(code, 0, stderr);
    assert.deepEqual(readdirSync(join(memory, "once")).sort(), ["one", "set"]);
    assert.doesNotMatch(stderr, /hunter/);
  });

  it("--once exits with 6 after --wait, and names what is missing", async () => {
    const config = configFile("late", "targets: [{name: never, file: DIR/x, secret: shop/never, key: k}]\n");
    // Before the server can have sent anything, and on most machines after it.
    for (const ms of [1, 1000]) {
      const { code, stderr } = await coffer(["agent", "-c", config, "--once", "--wait", `${ms}ms`], { env });
      assert.equal(code, 6, stderr);
      assert.match(stderr, new RegExp(`^coffer: not all targets were complete after ${ms} ms$`, "m"));
      assert.match(
        stderr,
        /^coffer: the target never is waiting: shop\/never: not (readable or missing|received yet)$/m,
      );
    }
    assert.deepEqual(readdirSync(join(memory, "late")), []);
  });

  it("--check needs neither a server nor an identity", async () => {
    const config = configFile("check", "targets: [{name: a, file: DIR/x, secret: shop/a, key: k}]\n");
    const valid = await coffer(["agent", "-c", config, "--check"]);
    assert.equal(valid.code, 0, valid.stderr);
    assert.equal(valid.stdout.toString(), `${config} is valid: 1 target\n`);
    writeFileSync(config, "targets: [{name: a, file: DIR/x, secret: shop/a, key: k, moed: 1}]\n");
    const invalid = await coffer(["agent", "-c", config, "--check"]);
    assert.equal(invalid.code, 2);
    assert.match(invalid.stderr, /^coffer: .*check\.yaml:1:27: file: expected an absolute path/m);
    assert.match(invalid.stderr, /^coffer: .*check\.yaml:1:58: a target has no key moed; it has name, /m);
    assert.equal((await coffer(["agent", "--check"])).code, 2);
    assert.equal((await coffer(["agent", "-c", config, "--wait", "1s"])).code, 2);
    assert.match((await coffer(["agent", "-c", join(kit.folder, "none")])).stderr, /^coffer: .*none does not exist/);
  });

  it("refuses a directory on a disk, and an address that is in use", async () => {
    const config = configFile("disk", `targets: [{name: a, file: ${kit.folder}/x, secret: shop/db, key: user}]\n`);
    const refused = await coffer(["agent", "-c", config, "--once"], { env });
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /^coffer: the target a: .* is not on a file system in memory/m);
    writeFileSync(
      config,
      `targets: [{name: a, file: ${kit.folder}/x, secret: shop/db, key: user, allow_disk: true}]\n`,
    );
    assert.equal((await coffer(["agent", "-c", config, "--once"], { env })).code, 0);
    const listen = new URL(kit.opsUrl).host;
    writeFileSync(
      config,
      `listen: ${listen}\ntargets: [{name: a, file: ${join(memory, "x")}, secret: shop/db, key: user}]\n`,
    );
    const taken = await coffer(["agent", "-c", config], { env });
    assert.equal(taken.code, 2);
    assert.match(taken.stderr, /^coffer: listen: can't listen on .* \(EADDRINUSE\)/m);
  });
});
