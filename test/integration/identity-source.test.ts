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
/** The agent of the server's machine, and that of the administrator's machine. */
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

/** Starts `coffer serve` with an identity from its Workload API, unless `env` selects another source. */
function serve(env: Record<string, string> = {}): ServerProcess {
  const api = { ...COMMON, COFFER_SERVER_OPS_LISTEN: "127.0.0.1:0", SPIFFE_ENDPOINT_SOCKET: agent.endpoint };
  const { server } = serving(["serve"], { env: { ...api, ...env } });
  servers.push(server);
  return server;
}

/** Runs a command of the administrator, with an identity from the administrator's Workload API. */
async function admin(server: ServerProcess, ...command: string[]) {
  const { address } = await server.logged("listening");
  const env = { COFFER_ADDR: String(address), COFFER_SERVER_ID: SERVER, SPIFFE_ENDPOINT_SOCKET: adminsAgent.endpoint };
  return coffer(command, { env });
}

/**
 * Runs a process that waits for its agent for a second, and for twice as long each time until the agent answers within the
 * limit: on a slow machine, it can take longer than a second. Resolves to the output of the last one.
 */
async function untilAnswered(run: (seconds: number) => Promise<string>): Promise<string> {
  for (let seconds = 1; ; seconds *= 2) {
    const output = await run(seconds);
    // Lines of the log are JSON. The others report why the process has ended.
    if (!/^coffer: .* has not answered yet/m.test(output) || seconds > 60) return output;
  }
}

const withDetail = (detail: RegExp) => (line: LogLine) => detail.test(String(line["detail"]));

describe("an identity from the Workload API", () => {
  // There are no identity files: the server and its callers get their identities from their agents.
  it("is enough for a server and for a client", async () => {
    agent.send(response([domain.issue("/coffer")]));
    const server = serve();
    const put = await admin(server, "put", "a/b", "k=v");
    assert.equal(put.code, 0, put.stderr);
    assert.equal((await admin(server, "get", "a/b", "k")).stdout.toString(), "v");
    const [starting] = server.lines("starting");
    assert.equal(starting?.["source"], `the Workload API at ${agent.endpoint}`);
    assert.match(String(starting?.["detail"]), /because SPIFFE_ENDPOINT_SOCKET is set, and none of --cert/);
    assert.equal((await server.logged("identity updated"))["spiffe_id"], SERVER);
  });

  it("is chosen by its hint", async () => {
    agent.send(response([domain.issue("/other", { hint: "other" }), domain.issue("/coffer", { hint: "store" })]));
    const server = serve({ COFFER_SERVER_SVID_HINT: "store" });
    assert.equal((await server.logged("identity updated"))["spiffe_id"], SERVER);
  });

  // Pods start in any order. A server that starts early waits, logs the reason once, and is not ready until then.
  it("makes the server wait until it arrives, and each reason is logged once", async () => {
    await agent.stop();
    const server = serve();
    assert.match(String((await server.logged("waiting for an identity"))["detail"]), /has not answered yet/);
    await server.logged("no identity", withDetail(/can't be reached: ENOENT/));
    await agent.restart();
    await server.logged("no identity", withDetail(/PERMISSION_DENIED: no identity issued/));
    assert.equal(server.lines("listening").length, 0);
    agent.send(response([domain.issue("/coffer")]));
    await server.serving();
    assert.equal((await admin(server, "list")).code, 0);
    const details = server.lines("no identity").map((line) => line["detail"]);
    assert.equal(new Set(details).size, details.length);
  });

  it("makes the server wait no longer than --startup-timeout", async () => {
    const output = await untilAnswered(async (seconds) => {
      const server = serve({ COFFER_SERVER_STARTUP_TIMEOUT: `${seconds}s` });
      assert.equal((await server.ended).code, 2);
      assert.match(server.stderr, new RegExp(`no identity within the ${seconds}000 ms of --startup-timeout`));
      return server.stderr;
    });
    assert.match(output, /^coffer: .*PERMISSION_DENIED: no identity issued/m);
  });

  // As PID 1 of a pod that never gets its identity, the process must still end on SIGTERM.
  it("is not necessary for a graceful shutdown", async () => {
    const server = serve();
    await server.logged("no identity");
    assert.equal((await server.stop()).code, 0);
    assert.equal(server.log.at(-1)?.event, "stopped");
  });

  // UNIMPLEMENTED is permanent: the endpoint does not become a Workload API later, so the server does not wait.
  it("fails the start if the endpoint is not a Workload API", async () => {
    agent.fail(12, "unknown service SpiffeWorkloadAPI");
    const server = serve();
    assert.equal((await server.ended).code, 2);
    assert.match(server.stderr, /UNIMPLEMENTED: unknown service/);
  });

  it("is reported as missing by a command, with the exit code for identity", async () => {
    agent.send(response([domain.issue("/coffer")]));
    const server = serve();
    const { address } = await server.logged("listening");
    const empty = await WorkloadApiServer.start(join(folder, "empty.sock"));
    const env = { COFFER_ADDR: String(address), COFFER_SERVER_ID: SERVER, SPIFFE_ENDPOINT_SOCKET: empty.endpoint };
    const output = await untilAnswered(async (seconds) => {
      const { code, stderr } = await coffer(["list", "--timeout", `${seconds}s`], { env });
      assert.equal(code, 7, stderr);
      return stderr;
    });
    await empty.close();
    assert.match(output, /^coffer: .*PERMISSION_DENIED: no identity issued/m);
  });
});

describe("an identity from files", () => {
  const named = (name: string) => join(folder, name);
  const env = () => ({
    COFFER_SERVER_CERT: named("x.pem"),
    COFFER_SERVER_KEY: named("x.key"),
    COFFER_SERVER_BUNDLE: `example.org=${named("b.pem")}`,
  });

  // Files take precedence over the environment of the platform. The server waits for files that do not exist yet.
  it("makes the server wait too, and takes precedence over the Workload API", async () => {
    agent.send(response([domain.issue("/another")]));
    const server = serve(env());
    await server.logged("waiting for an identity", withDetail(/x\.pem/));
    assert.match(
      String(server.lines("starting")[0]?.["detail"]),
      /COFFER_SERVER_CERT, COFFER_SERVER_KEY, COFFER_SERVER_BUNDLE are set/,
    );
    assert.equal((await coffer(["dev-pki", "--dir", named("pki"), "--trust-domain", "example.org"])).code, 0);
    copyFileSync(named("pki/bundle.pem"), named("b.pem"));
    copyFileSync(named("pki/coffer.key"), named("x.key"));
    copyFileSync(named("pki/coffer.pem"), named("x.pem"));
    await server.serving();
    assert.equal((await server.logged("identity updated"))["spiffe_id"], SERVER);
  });

  it("is refused if it exists and is invalid", async () => {
    writeFileSync(named("x.pem"), "not a certificate");
    const server = serve(env());
    assert.equal((await server.ended).code, 2);
    assert.match(server.stderr, /x\.pem contains no/);
  });
});
