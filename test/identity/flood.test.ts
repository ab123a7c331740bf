import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, afterEach, describe, it } from "node:test";
import { type FloodKind, UnauthenticatedClients } from "../../bench/unauthenticated-clients.ts";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { LONG } from "../support/long-form.ts";
import { type ServerProcess, Site, type StartOptions } from "../support/server-process.ts";
import { THREADS } from "../support/threads.ts";
import { PromptClients } from "./prompt-clients.ts";

/**
 * How many connections unauthenticated clients hold, and the server's limits: the defaults, or smaller ones. A server
 * divides each limit by the number of its threads, so the limits are multiplied by it. The connections above the limit
 * of handshakes wait to be accepted; the queue of the kernel has space for 511.
 */
const { connections, flags } = LONG
  ? { connections: 5000, flags: [] }
  : {
      connections: 236 + 64 * THREADS,
      flags: ["--max-handshakes", `${64 * THREADS}`, "--max-connections", `${500 * THREADS}`],
    };

/** Enough descriptors for a server with a few connections, and too few for the unauthenticated clients. */
const FEW_DESCRIPTORS = 120 + 60 * (THREADS - 1);

/** How many legitimate clients connect, one after the other. */
const NEWCOMERS = LONG ? 50 : 5;

/** The number of calls of a connected client. */
const GETS = LONG ? 10_000 : 500;

const HERE = "127.0.0.1";
const ELSEWHERE = "127.0.0.2";

const site = new Site();
/** The current server, the only one that uses the site's data. */
let server: ServerProcess;

const foreign = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock).issue({
  id: "spiffe://example.org/admin",
});

after(() => site.remove());

/** Starts unauthenticated clients in a separate process. */
function gather(kind: FloodKind, from: string, count = connections): Promise<UnauthenticatedClients> {
  const certificate = { cert: foreign.certPem, key: foreign.keyPem };
  return UnauthenticatedClients.start({ kind, port: server.port, from, connections: count, certificate });
}

/** Makes a call with a new client, and returns the status. */
async function newcomer(to: Pick<ServerProcess, "port"> = server): Promise<string> {
  const caller = site.caller(to);
  const { code } = await caller.get({ path: "flood/known" });
  caller.close();
  return code;
}

async function newcomers(to?: Pick<ServerProcess, "port">): Promise<ReadonlySet<string>> {
  const codes = new Set<string>();
  for (let i = 0; i < NEWCOMERS; i++) codes.add(await newcomer(to));
  return codes;
}

/**
 * Clients that are prompt. The server can't distinguish a client whose ClientHello is late from one that is silent. In the
 * long form, the queue of the kernel is full, so the clients compete for a place in it, and the machine must be idle.
 */
async function promptNewcomers(): Promise<ReadonlySet<string>> {
  if (LONG) return newcomers();
  const clients = await PromptClients.start(server);
  const codes = await newcomers(clients);
  clients.close();
  return codes;
}

/** Starts a server with one secret. */
async function start(options: StartOptions = {}): Promise<void> {
  server = await site.start({ flags, ...options });
  const caller = site.caller(server);
  assert.equal((await caller.put({ path: "flood/known", data: { value: "x" } })).code, "OK");
  caller.close();
}

afterEach(() => server.kill());

describe("a legitimate client", () => {
  // There are more unauthenticated clients than may be in the handshake, and they reconnect whenever they are closed. A
  // client that sends a complete ClientHello, and then nothing, at first differs from a legitimate one only by its address.
  for (const [kind, from] of [
    ["silent", HERE],
    ["half-hello", HERE],
    ["hello", ELSEWHERE],
  ] as const) {
    it(`connects at the first attempt while unauthenticated clients stall: ${kind}`, async () => {
      await start();
      const flood = await gather(kind, from);
      assert.deepEqual(await promptNewcomers(), new Set(["OK"]));
      const { opened } = await flood.stop();
      assert.ok(opened >= connections);
      assert.equal((await server.logged("connection refused"))["reason"], "handshake-displaced");
    });
  }

  // A client with any certificate can make the server do all the work of a handshake, repeatedly.
  it("is served while unauthenticated clients open handshakes continuously", async () => {
    await start();
    const connected = site.caller(server);
    assert.equal((await connected.get({ path: "flood/known" })).code, "OK");
    const flood = await gather("handshake", ELSEWHERE, 16);
    await server.logged("connection refused");
    const codes = new Set<string>();
    for (let i = 0; i < GETS; i++) codes.add((await connected.get({ path: "flood/known" })).code);
    assert.deepEqual([codes, await newcomers()], [new Set(["OK"]), new Set(["OK"])]);
    await flood.stop();
    connected.close();
    const reasons = new Set(server.lines("connection refused").map((line) => line["reason"]));
    // This reason is expected as well: the limit kept the handshake in the queue until ten seconds had passed or the
    // client had closed the connection.
    reasons.delete("handshake-not-begun");
    assert.deepEqual([...reasons], ["untrusted"]);
  });

  // Node closes connections that it has no file descriptors for. Open connections must not be affected.
  it("stays connected while the process has no free descriptors, and others connect when there are free ones again", async () => {
    await start({ flags: [] });
    // After the start: Node opens many files of modules at once, more or fewer in each start.
    execFileSync("prlimit", ["--pid", `${server.pid}`, `--nofile=${FEW_DESCRIPTORS}`]);
    const connected = site.caller(server);
    assert.equal((await connected.get({ path: "flood/known" })).code, "OK");
    const flood = await gather("silent", ELSEWHERE);
    // The connections of the others end after ten seconds, and another client can then take a descriptor.
    while ((await newcomer()) !== "UNAVAILABLE");
    assert.equal((await connected.get({ path: "flood/known" })).code, "OK");
    await flood.stop();
    connected.close();
    while ((await newcomer()) !== "OK");
  });
});
