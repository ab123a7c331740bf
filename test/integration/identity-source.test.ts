import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { systemClock } from "../../src/domain/timers.ts";
import { coffer, serving } from "../support/cli-kit.ts";
import type { LogLine } from "../support/server-kit.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { response, SpireDomain } from "../support/spire-domain.ts";
import { WorkloadApiServer } from "../support/workload-api-server.ts";

const SERVER = "spiffe://example.org/coffer";
const ADMIN = "spiffe://example.org/admin";

let folder: string;
let domain: SpireDomain;
/** What the agent of the server's machine answers, and that of the administrator's. */
let agent: WorkloadApiServer;
let adminsAgent: WorkloadApiServer;
const servers: ServerProcess[] = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-identity-"));
  domain = new SpireDomain("example.org", systemClock);
  adminsAgent = await WorkloadApiServer.start(join(folder, "admin.sock"));
  adminsAgent.send(response([domain.issue("/admin")]));
});
after(async () => {
  await adminsAgent.close();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  agent = await WorkloadApiServer.start(join(folder, "agent.sock"));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.kill();
  await agent.close();
});

const COMMON = { COFFER_SERVER_LISTEN: "127.0.0.1:0", COFFER_SERVER_STORE: "memory", COFFER_SERVER_ADMIN: ADMIN };

/** A `coffer serve` whose identity is that of its Workload API, unless `env` says otherwise. */
function serve(env: Record<string, string> = {}): ServerProcess {
  const api = { ...COMMON, COFFER_SERVER_OPS_LISTEN: "127.0.0.1:0", SPIFFE_ENDPOINT_SOCKET: agent.endpoint };
  const { server } = serving(["serve"], { env: { ...api, ...env } });
  servers.push(server);
  return server;
}

/** A command of the administrator, whose identity is that of their own Workload API. */
async function admin(server: ServerProcess, ...command: string[]) {
  const { address } = await server.logged("listening");
  const env = { COFFER_ADDR: String(address), COFFER_SERVER_ID: SERVER, SPIFFE_ENDPOINT_SOCKET: adminsAgent.endpoint };
  return coffer(command, { env });
}

const saying = (detail: RegExp) => (line: LogLine) => detail.test(String(line["detail"]));

describe("an identity from the Workload API", () => {
  // No file of anybody's: the server, and whoever calls it, are told who they are by their agents.
  it("serves, and is served", async () => {
    agent.send(response([domain.issue("/coffer")]));
    const server = serve();
    const put = await admin(server, "put", "a/b", "k=v");
    assert.equal(put.code, 0, put.stderr);
    assert.equal((await admin(server, "get", "a/b", "k")).stdout.toString(), "v");
    const [starting] = server.lines("starting");
    assert.equal(starting?.["source"], `the Workload API at ${agent.endpoint}`);
    assert.match(String(starting?.["detail"]), /since SPIFFE_ENDPOINT_SOCKET is set, and none of --cert/);
    assert.equal((await server.logged("identity adopted"))["spiffe_id"], SERVER);
  });

  it("is chosen by its hint", async () => {
    agent.send(response([domain.issue("/other", { hint: "other" }), domain.issue("/coffer", { hint: "store" })]));
    const server = serve({ COFFER_SERVER_SVID_HINT: "store" });
    assert.equal((await server.logged("identity adopted"))["spiffe_id"], SERVER);
  });

  // Pods start in any order: a server that is early waits, says once for what, and is not ready meanwhile.
  it("is waited for, and each reason is told once", async () => {
    await agent.stop();
    const server = serve();
    assert.match(String((await server.logged("waiting for an identity"))["detail"]), /has not answered yet/);
    await server.logged("no identity", saying(/can't be reached: ENOENT/));
    await agent.restart();
    await server.logged("no identity", saying(/PERMISSION_DENIED: no identity issued/));
    assert.equal(server.lines("listening").length, 0);
    agent.send(response([domain.issue("/coffer")]));
    await server.serving();
    assert.equal((await admin(server, "list")).code, 0);
    const told = server.lines("no identity").map((line) => line["detail"]);
    assert.equal(new Set(told).size, told.length);
  });

  it("is waited for no longer than the operator says", async () => {
    const server = serve({ COFFER_SERVER_STARTUP_TIMEOUT: "1s" });
    assert.equal((await server.ended).code, 2);
    assert.match(server.stderr, /PERMISSION_DENIED: no identity issued/);
    assert.match(server.stderr, /there was no identity within the 1000 ms of --startup-timeout/);
  });

  // As PID 1 of a pod that never got its identity it must still end when it is told to.
  it("need not come for the process to end in good order", async () => {
    const server = serve();
    await server.logged("no identity");
    assert.equal((await server.stop()).code, 0);
    assert.equal(server.log.at(-1)?.event, "stopped");
  });

  // What the agent answers to every request alike will not change by waiting.
  it("ends the start where the endpoint is no Workload API", async () => {
    agent.fail(12, "unknown service SpiffeWorkloadAPI");
    const server = serve();
    assert.equal((await server.ended).code, 2);
    assert.match(server.stderr, /UNIMPLEMENTED: unknown service/);
  });

  it("that a caller does not have is said in a sentence, with the exit code for identity", async () => {
    agent.send(response([domain.issue("/coffer")]));
    const server = serve();
    const { address } = await server.logged("listening");
    const nobody = await WorkloadApiServer.start(join(folder, "nobody.sock"));
    const env = { COFFER_ADDR: String(address), COFFER_SERVER_ID: SERVER, SPIFFE_ENDPOINT_SOCKET: nobody.endpoint };
    const { code, stderr } = await coffer(["list", "--timeout", "1s"], { env });
    await nobody.close();
    assert.equal(code, 7);
    assert.match(stderr, /PERMISSION_DENIED: no identity issued/);
  });
});

describe("an identity from files", () => {
  const named = (name: string) => join(folder, name);
  const env = () => ({
    COFFER_SERVER_CERT: named("x.pem"),
    COFFER_SERVER_KEY: named("x.key"),
    COFFER_SERVER_BUNDLE: `example.org=${named("b.pem")}`,
  });

  // Files win whatever the platform has put into the environment; those that are not there yet are waited for.
  it("is waited for as well, and wins over the Workload API", async () => {
    agent.send(response([domain.issue("/somebody-else")]));
    const server = serve(env());
    await server.logged("waiting for an identity", saying(/x\.pem/));
    assert.match(
      String(server.lines("starting")[0]?.["detail"]),
      /COFFER_SERVER_CERT, COFFER_SERVER_KEY, COFFER_SERVER_BUNDLE are given/,
    );
    assert.equal((await coffer(["dev-pki", "--dir", named("pki"), "--trust-domain", "example.org"])).code, 0);
    copyFileSync(named("pki/bundle.pem"), named("b.pem"));
    copyFileSync(named("pki/coffer.key"), named("x.key"));
    copyFileSync(named("pki/coffer.pem"), named("x.pem"));
    await server.serving();
    assert.equal((await server.logged("identity adopted"))["spiffe_id"], SERVER);
  });

  it("is refused when it is there and wrong", async () => {
    writeFileSync(named("x.pem"), "not a certificate");
    const server = serve(env());
    assert.equal((await server.ended).code, 2);
    assert.match(server.stderr, /x\.pem contains no/);
  });
});
