import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { InternalOptions } from "../../src/client/client-options.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import { formatAddress } from "../../src/domain/address.ts";
import { systemClock } from "../../src/domain/timers.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { splitDer } from "../../src/x509/der.ts";
import { certificatePem, pemText } from "../../src/x509/pem.ts";
import { failureOf } from "../support/client-failure.ts";
import { IdentityFolder } from "../support/identity-folder.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { ScriptedServer } from "../support/scripted-server.ts";
import { response, SpireDomain } from "../support/spire-domain.ts";
import { WorkloadApiServer } from "../support/workload-api-server.ts";

const SERVER_ID = "spiffe://example.org/coffer";
const ca = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock);

describe("a call", () => {
  let server: ScriptedServer;
  let files: IdentityFolder;
  let client: CofferClient;
  before(async () => {
    files = new IdentityFolder(ca);
    server = await ScriptedServer.start(ca.issue({ id: SERVER_ID }));
  });
  beforeEach(() => {
    client = open();
  });
  afterEach(() => client.close());
  after(async () => {
    files.remove();
    await server.stop();
  });

  const open = (options: Partial<InternalOptions> = {}) =>
    new CofferClient({
      address: formatAddress(server.address),
      serverId: SERVER_ID,
      environment: files.environment,
      timeoutMs: PATIENCE_MS,
      ...options,
    });

  it("fails when its signal is aborted, with the reason as cause", async () => {
    const abort = new AbortController();
    const put = client.put("a", { k: "v" }, { signal: abort.signal });
    const call = await server.call();
    abort.abort(new Error("the user has cancelled"));
    const error = await failureOf(put);
    assert.deepEqual([error.code, error.applied], ["CANCELLED", "unknown"]);
    assert.equal((error.cause as Error).message, "the user has cancelled");
    await call.closed();
    // The control: a signal that is not aborted has no effect.
    const health = client.health("", { signal: new AbortController().signal });
    (await server.call()).answer();
    assert.equal(await health, "SERVING");
  });

  // A log line with the stack has to show which of a program's calls has failed.
  it("fails with a stack that contains its caller", async () => {
    async function callerOfPut() {
      return await client.put("a", { k: "v" });
    }
    await client.close();
    client = open({ retry: false });
    const failed = failureOf(callerOfPut());
    (await server.call()).hangUp();
    const { stack = "" } = await failed;
    assert.match(stack, /^ClientError: .*\n(?: +at .*\n)* +at async callerOfPut/);
  });

  // An exception in a callback of grpc-js would end the process, so the client checks all arguments before the call.
  it("is not sent if an argument has the wrong type", async () => {
    const calls = [
      client.get("a", { signal: {} as AbortSignal }),
      client.get("a", { version: 1.5 }),
      client.put("a", { k: "v" }, { expectedVersion: Number.NaN }),
      client.put("a", undefined as never),
      client.delete("a", { versions: [1.5] }),
      client.delete("a", { expectedVersion: -1 }),
      client.describe(undefined as never),
      client.commit([{ kind: "restore", path: "a", version: 1.5 }]),
      client.list("", { pageSize: 2 } as never).next(),
    ];
    for (const call of calls) assert.equal((await failureOf(call)).code, "INVALID_ARGUMENT");
    assert.equal(server.waiting, 0);
    // The control: the same client sends a call with valid arguments.
    const health = client.health();
    (await server.call()).answer();
    assert.equal(await health, "SERVING");
  });

  // Without this check, the Get would return the newest version, and the Destroy would destroy it.
  it("is not sent with an option that does not exist", async () => {
    const mistyped = { versoin: 1 } as never;
    const calls = [
      client.put("a", { k: "v" }, mistyped),
      client.patch("a", { set: { k: "v" } }, mistyped),
      client.patch("a", mistyped),
      client.get("a", mistyped),
      client.batchGet(["a"], mistyped),
      client.delete("a", mistyped),
      client.undelete("a", mistyped),
      client.destroy("a", mistyped),
      client.restore("a", 1, mistyped),
      client.copy("a", "b", mistyped),
      client.purge("a", mistyped),
      client.metadata("a", {}, mistyped),
      client.metadata("a", mistyped),
      client.commit([], mistyped),
      client.list("", mistyped).next(),
      client.listPages("", mistyped).next(),
      client.describe("a", mistyped),
      client.health("", mistyped),
      client.waitForReady(mistyped),
    ];
    for (const call of calls) {
      const error = await failureOf(call);
      assert.equal(error.code, "INVALID_ARGUMENT");
      assert.match(error.message, /^unknown (option|property) "versoin"; expected /);
    }
    assert.match((await failureOf(client.get("a", 5 as never))).message, /^the options are not an object$/);
    assert.equal(server.waiting, 0);
  });

  it("is not sent if its signal is already aborted", async () => {
    const error = await failureOf(client.put("a", { k: "v" }, { signal: AbortSignal.abort() }));
    assert.deepEqual([error.code, error.applied], ["CANCELLED", "no"]);
    assert.equal(server.waiting, 0);
  });

  it("fails when its signal is aborted between two attempts", async () => {
    const abort = new AbortController();
    const waiting = open({
      address: "unix:/nowhere/coffer.sock",
      // The signal is aborted during the pause.
      random: () => {
        setImmediate(() => abort.abort());
        return 0.5;
      },
    });
    const error = await failureOf(waiting.get("a", { signal: abort.signal }));
    assert.equal(error.code, "CANCELLED");
    await waiting.close();
  });

  // grpc.health.v1: a server that is not ready yet, or shuts down, answers with NOT_SERVING.
  it("waits for a server that answers but does not serve yet", async () => {
    const ready = client.waitForReady();
    (await server.call()).answer("NOT_SERVING");
    (await server.call()).answer();
    await ready;
    assert.equal(server.waiting, 0);
  });

  it("is answered if the client is closed during the call, and close() waits for the answer", async () => {
    const health = client.health();
    const call = await server.call();
    let isClosed = false;
    const closing = client[Symbol.asyncDispose]().then(() => {
      isClosed = true;
    });
    assert.equal((await failureOf(client.health())).message, "the client is closed");
    assert.equal(isClosed, false);
    call.answer();
    assert.equal(await health, "SERVING");
    await closing;
    assert.equal(client.close(), client.close());
  });

  it("is not retried after the client is closed", async () => {
    const waiting = open({ address: "unix:/nowhere/coffer.sock" });
    const call = failureOf(waiting.get("a"));
    await waiting.close();
    assert.match((await call).message, /the client is closed|nothing answers/);
  });

  // A read changes nothing, so the client can repeat it on the next connection.
  it("is retried after a broken connection if it only reads", async () => {
    const health = client.health();
    (await server.call()).hangUp();
    (await server.call()).answer();
    assert.equal(await health, "SERVING");
  });

  it("uses the SVID in the files, and the next one after a rotation", async () => {
    const first = files.rotate();
    const own = open();
    const health = own.health();
    const call = await server.call();
    assert.deepEqual(call.certificate, first.certificate);
    call.answer();
    await health;
    const second = files.rotate();
    // The client checks the files at intervals. Calls continue during the checks.
    for (;;) {
      const next = own.health();
      const arrived = await server.call();
      arrived.answer();
      assert.equal(await next, "SERVING");
      if (arrived.certificate.equals(second.certificate)) break;
      assert.deepEqual(arrived.certificate, first.certificate);
    }
    await own.close();
  });

  it("reports which identity file is missing", async () => {
    const environment = { ...files.environment, COFFER_CERT: "/nowhere/svid.pem" };
    const missing = open({ environment, waitForReady: false });
    const error = await failureOf(missing.get("a"));
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.failure?.kind, "no-identity");
    assert.match(
      error.message,
      /^there is no identity to call 127\.0\.0\.1:\d+ with: \/nowhere\/svid\.pem does not exist/,
    );
    await missing.close();
  });
});

describe("a client with the Workload API", () => {
  it("waits for its first SVID, and follows the next ones", async () => {
    const folder = mkdtempSync(join(tmpdir(), "coffer-client-"));
    const domain = new SpireDomain("example.org", Date.now);
    const agent = await WorkloadApiServer.start(join(folder, "agent.sock"));
    const svid = domain.issue("/coffer");
    const server = await ScriptedServer.start({
      ...ca.issue({ id: SERVER_ID }),
      certPem: certificatePem(splitDer(svid.x509Svid)),
      keyPem: pemText("PRIVATE KEY", svid.x509SvidKey),
    });
    const client = new CofferClient({
      address: formatAddress(server.address),
      serverId: SERVER_ID,
      environment: { SPIFFE_ENDPOINT_SOCKET: agent.endpoint },
      timeoutMs: PATIENCE_MS,
    });
    // The agent has no identity for the workload yet, and reports that.
    const early = await failureOf(client.health("", { waitForReady: false }));
    assert.equal(early.failure?.kind, "no-identity");
    await client.close();
    agent.send(response([domain.issue("/api")]));
    const second = new CofferClient({
      address: formatAddress(server.address),
      serverId: SERVER_ID,
      environment: { SPIFFE_ENDPOINT_SOCKET: agent.endpoint },
      timeoutMs: PATIENCE_MS,
    });
    const health = second.health();
    (await server.call()).answer();
    assert.equal(await health, "SERVING");
    const next = domain.issue("/api");
    agent.send(response([next]));
    for (;;) {
      const again = second.health();
      const call = await server.call();
      call.answer();
      await again;
      if (call.certificate.equals(splitDer(next.x509Svid)[0] as Buffer)) break;
    }
    await second.close();
    await server.stop();
    await agent.close();
    rmSync(folder, { recursive: true });
  });
});
