import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { ClientOptions } from "../../src/client/client-options.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import { failureOf } from "../support/client-failure.ts";
import { ClientLoad } from "../support/client-load.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { ADMIN, API, ServerKit } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";

const SERVER_ID = "spiffe://example.org/coffer";

describe("a client whose server is restarted under load", () => {
  let kit: ServerKit;
  let client: CofferClient;
  let folder: string;
  beforeEach(async () => {
    // A unix socket has the same address after a restart. A server that listens on port 0 would get another port.
    folder = mkdtempSync(join(tmpdir(), "coffer-restart-"));
    const socket = { kind: "unix", path: join(folder, "socket"), mode: 0o600 } as const;
    kit = await ServerKit.start({ listen: [socket] });
    const identity = { ...kit.writeCredential(kit.issue({ id: API }), "api"), bundle: join(kit.folder, "bundle.pem") };
    client = new CofferClient({
      address: `unix:${socket.path}`,
      serverId: SERVER_ID,
      identity,
      timeoutMs: PATIENCE_MS,
    });
  });
  afterEach(async () => {
    await client.close();
    await kit.stop();
    rmSync(folder, { recursive: true });
  });

  // A graceful shutdown serves or refuses each call, so the client loses none.
  it("fails no call", async () => {
    const load = new ClientLoad(client, 8);
    await load.pass(200);
    for (let restart = 0; restart < 3; restart++) {
      await kit.restart();
      await load.pass(200);
    }
    await load.stop();
    assert.deepEqual(
      load.errors.map(({ method, error }) => [method, error.message]),
      [],
    );
  });

  // The control: without retries, calls fail at a restart, so the test above depends on the retries.
  it("fails calls without retries", async () => {
    const identity = { ...kit.writeCredential(kit.issue({ id: API }), "bare"), bundle: join(kit.folder, "bundle.pem") };
    const bare = new CofferClient({
      address: `unix:${(kit.address as { path: string }).path}`,
      serverId: SERVER_ID,
      identity,
      timeoutMs: PATIENCE_MS,
      retry: false,
    });
    const load = new ClientLoad(bare, 8);
    await load.pass(200);
    await kit.restart();
    await load.pass(200);
    await load.stop();
    await bare.close();
    assert.notEqual(load.errors.length, 0);
  });
});

describe("a client whose server is killed under load", () => {
  let site: Site;
  beforeEach(() => {
    site = new Site();
  });
  afterEach(() => site.remove());

  /** Calls a server that is killed three times, and started again. */
  async function loadThroughKills(options: Partial<ClientOptions> = {}): Promise<ClientLoad> {
    const address = `unix:${join(site.folder, "socket")}`;
    const flags = ["--listen", address];
    let server = await site.start({ flags });
    const client = site.client(ADMIN, { address, ...options });
    const load = new ClientLoad(client, 8);
    await load.pass(200);
    for (let kill = 0; kill < 3; kill++) {
      await server.kill();
      server = await site.start({ flags });
      await load.pass(200);
    }
    await load.stop();
    await client.close();
    await server.stop();
    return load;
  }

  // A Put whose connection broke may be on disk. The client repeats it with its request_id, and the server applies it
  // once: the versions of each secret are consecutive.
  it("fails no call, and each Put is applied once", async () => {
    const load = await loadThroughKills({ timeoutMs: PATIENCE_MS });
    assert.deepEqual(
      load.errors.map(({ method, error }) => [method, error.message]),
      [],
    );
    for (const versions of load.versions)
      assert.deepEqual(
        versions,
        versions.map((_, index) => index + 1),
      );
  });

  // Without request_ids, a Put whose connection broke fails, and its error says that it may have been applied.
  it("fails only Puts that may have been applied, without request_ids", async () => {
    const load = await loadThroughKills({ timeoutMs: PATIENCE_MS, requestIds: false });
    const failed = load.errors.map(({ method, error }) => [method, error.applied]);
    for (const each of failed) assert.deepEqual(each, ["put", "unknown"]);
  });
});

describe("a client with two addresses", () => {
  let site: Site;
  let servers: readonly [ServerProcess, ServerProcess];
  let client: CofferClient;
  // Unix sockets have the same address after a restart.
  const addressOf = (name: string) => `unix:${join(site.folder, name)}.sock`;
  const start = (name: string) => site.start({ data: join(site.folder, name), flags: ["--listen", addressOf(name)] });
  const addresses = () => ["first", "second"].map(addressOf);
  beforeEach(async () => {
    site = new Site();
    servers = await Promise.all([start("first"), start("second")]);
    // The content of each server's secret identifies the server.
    for (const [index, address] of addresses().entries()) {
      const caller = site.client(ADMIN, { address });
      await caller.put("name", { name: String(index) });
      await caller.close();
    }
    client = open();
  });
  afterEach(async () => {
    await client.close();
    await site.remove();
  });

  const open = (options: Partial<ClientOptions> = {}) =>
    site.client(ADMIN, { address: addresses(), timeoutMs: PATIENCE_MS, ...options });
  const answering = async () => Number((await client.get("name")).content.text("name"));

  it("uses the first server, switches when it is killed, and stays until the other is killed", async () => {
    assert.equal(await answering(), 0);
    await servers[0].kill();
    assert.equal(await answering(), 1);
    await start("first");
    assert.equal(await answering(), 1);
    await servers[1].kill();
    assert.equal(await answering(), 0);
  });

  it("loses no call that it can retry when the server in use is killed under load", async () => {
    const load = new ClientLoad(client, 8);
    await load.pass(100);
    await servers[0].kill();
    await load.pass(100);
    await load.stop();
    // The stores of the two servers differ: a Get of a secret that only the first one has is answered with NOT_FOUND.
    const lost = load.errors.filter(({ error }) => error.code !== "NOT_FOUND" && error.applied !== "unknown");
    assert.deepEqual(
      lost.map(({ method, error }) => [method, error.message]),
      [],
    );
    assert.equal(await answering(), 1);
  });

  it("skips a server with an untrusted identity, and reports it if no other answers", async () => {
    const untrusted = await ServerKit.start();
    const address = [`127.0.0.1:${(untrusted.address as { port: number }).port}`, addressOf("second")];
    await client.close();
    client = open({ address });
    assert.equal(await answering(), 1);
    await servers[1].kill();
    await client.close();
    client = open({ address, waitForReady: false });
    const error = await failureOf(client.get("name"));
    assert.equal(error.code, "UNAVAILABLE");
    assert.match(error.message, /does not prove its identity.*; nothing answers at unix:/);
    await untrusted.stop();
  });

  // A stopped process closes no connection: its kernel still accepts the bytes.
  it("moves to the other when the one in use hangs, with reads and with changes that have a request_id", async () => {
    await client.close();
    client = open({ timeoutMs: 20_000 });
    const without = open({ timeoutMs: 20_000, requestIds: false });
    assert.equal(await answering(), 0);
    await without.get("name");
    servers[0].signal("SIGSTOP");
    const abort = new AbortController();
    const staying = failureOf(without.put("name", { name: "0" }, { signal: abort.signal }));
    // The client repeats a call at the other address when half of its timeout has passed.
    const [read, put] = await Promise.all([client.get("name"), client.put("name", { name: "1" })]);
    assert.equal(read.content.text("name"), "1");
    assert.equal(put.version, 2);
    // Later calls do not wait for the first server.
    assert.equal((await client.put("name", { name: "1" })).version, 3);
    // The control: a change without request_id is not sent to the other server, because the first one may have applied it.
    abort.abort();
    assert.equal((await staying).applied, "unknown");
    assert.equal((await client.describe("name")).latestVersion, 3);
    await without.close();
    servers[0].signal("SIGCONT");
  });
});

describe("a client whose server hangs", () => {
  let site: Site;
  let server: ServerProcess;
  beforeEach(async () => {
    site = new Site();
    server = await site.start();
  });
  afterEach(() => site.remove());

  it("fails at the deadline, reports whether a Put was applied, and makes calls again afterwards", async () => {
    const client = site.client(ADMIN, { address: `127.0.0.1:${server.port}`, timeoutMs: PATIENCE_MS });
    await client.put("a", { k: "v" });
    server.signal("SIGSTOP");
    const put = await failureOf(client.put("a", { k: "w" }, { timeoutMs: 200 }));
    assert.deepEqual([put.code, put.applied], ["DEADLINE_EXCEEDED", "unknown"]);
    assert.equal(put.failure?.kind, "no-answer");
    const get = await failureOf(client.get("a", { timeoutMs: 200 }));
    assert.deepEqual([get.code, get.applied], ["DEADLINE_EXCEEDED", "no"]);
    server.signal("SIGCONT");
    // The server receives the first Put when it continues. With its request_id, the same Put is applied once.
    const { requestId } = put;
    assert.equal((await client.put("a", { k: "w" }, { requestId })).version, 2);
    assert.equal((await client.get("a")).version, 2);
    await client.close();
  });
});

describe("a client with a host name", () => {
  // On most machines, localhost also has an IPv6 address, where no server listens.
  it("tries each of its IP addresses", async () => {
    const site = new Site();
    const { port } = await site.start();
    const client = site.client(ADMIN, { address: `localhost:${port}`, timeoutMs: PATIENCE_MS });
    assert.equal((await client.put("a", { k: "v" })).version, 1);
    await client.close();
    await site.remove();
  });
});

describe("a client that waits for its server", () => {
  let site: Site;
  beforeEach(() => {
    site = new Site();
  });
  afterEach(() => site.remove());

  it("is ready when its server is ready, and not before", async () => {
    const address = `unix:${join(site.folder, "socket")}`;
    const client = site.client(ADMIN, { address, timeoutMs: PATIENCE_MS });
    const early = await failureOf(client.waitForReady({ timeoutMs: 100 }));
    // On a slow machine, the time can end before the first attempt does.
    assert.match(`${early.failure?.kind}`, /^(unreachable|no-answer)$/);
    const ready = client.waitForReady();
    const put = client.put("a", { k: "v" });
    await site.start({ flags: ["--listen", address] });
    await ready;
    assert.equal((await put).version, 1);
    await client.close();
  });

  it("does not wait with waitForReady: false", async () => {
    const address = `unix:${join(site.folder, "socket")}`;
    const client = site.client(ADMIN, { address, timeoutMs: PATIENCE_MS, waitForReady: false });
    assert.equal((await failureOf(client.get("a"))).failure?.kind, "unreachable");
    await client.close();
  });

  // Waiting does not help if the server has another SPIFFE ID. The client sends nothing to it.
  it("does not wait for a server with the wrong SPIFFE ID", async () => {
    const server = await site.start();
    const client = site.client(ADMIN, {
      address: `127.0.0.1:${server.port}`,
      serverId: "spiffe://example.org/vault",
      timeoutMs: PATIENCE_MS,
    });
    const error = await failureOf(client.put("a", { k: "v" }));
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.failure?.kind, "wrong-server");
    assert.match(error.message, /is spiffe:\/\/example\.org\/coffer, expected spiffe:\/\/example\.org\/vault/);
    await client.close();
  });
});
