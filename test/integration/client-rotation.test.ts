import assert from "node:assert/strict";
import { once } from "node:events";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { ClientError } from "../../src/client/client-error.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import { systemClock, processTimers } from "../../src/domain/timers.ts";
import { Content } from "../../src/domain/content.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { RotatingIdentity } from "../support/rotating-identity.ts";
import { ScriptedServer } from "../support/scripted-server.ts";
import { PATIENCE_MS } from "../support/patience.ts";

const COFFER = SpiffeId.parse("spiffe://example.org/coffer");
const DOMAIN = TrustDomain.parse("example.org");
const HOUR = 3_600_000;

const ca = createDevelopmentCa(DOMAIN, systemClock);

function closed({ socket }: { readonly socket: { readonly destroyed: boolean } & NodeJS.EventEmitter }) {
  return socket.destroyed ? Promise.resolve() : once(socket, "close");
}

describe("a client whose SVID rotates", () => {
  let server: ScriptedServer;
  let identity: RotatingIdentity;
  let now = systemClock;
  const serverSvid = (notAfter = Date.now() + HOUR) => ca.issue({ id: String(COFFER), notAfter });
  let coffer: CofferClient | undefined;
  before(async () => {
    server = await ScriptedServer.start(serverSvid());
  });
  beforeEach(() => {
    identity = new RotatingIdentity(ca);
    now = systemClock;
  });
  afterEach(() => {
    void coffer?.close();
    identity.current.close();
  });
  after(() => server.stop());

  const connect = (): CofferClient => {
    const { address } = server;
    const options = {
      address,
      identity: identity.source,
      serverId: COFFER,
      timeoutMs: PATIENCE_MS,
      retry: false,
      timers: { ...processTimers, clock: () => now() },
    };
    coffer = new CofferClient(options);
    return coffer;
  };

  /** Makes a call, and waits until the server has received it. No other call may be in progress. */
  const arrive = async (coffer: CofferClient) => {
    const answer = coffer.health();
    const call = await server.call();
    return { answer, call };
  };

  // No call fails: calls in progress are answered on the old connection, and later calls use the new SVID.
  it("starts calls on a new connection, and completes earlier ones on the old connection, which then closes", async () => {
    const first = identity.rotate();
    const coffer = connect();
    const old = await arrive(coffer);
    assert.deepEqual(old.call.certificate, first.certificate);
    const second = identity.rotate();
    const next = await arrive(coffer);
    assert.deepEqual(next.call.certificate, second.certificate);
    next.call.answer();
    assert.equal(await next.answer, "SERVING");
    assert.equal(old.call.socket.destroyed, false);
    old.call.answer();
    assert.equal(await old.answer, "SERVING");
    await closed(old.call);
    const later = await arrive(coffer);
    assert.equal(later.call.socket, next.call.socket);
    later.call.answer();
    await later.answer;
  });

  // grpc-js fails the calls that wait for a connection when their channel is closed.
  it("fails no call that is waiting for its connection", async () => {
    const first = identity.rotate();
    const coffer = connect();
    const answers = [coffer.health(), coffer.health()];
    const second = identity.rotate();
    answers.push(coffer.health());
    const calls = [await server.call(), await server.call(), await server.call()];
    const shown = calls.map(({ certificate }) => certificate.toString("hex"));
    assert.deepEqual(shown.sort(), [first, first, second].map((svid) => svid.certificate.toString("hex")).sort());
    for (const call of calls) call.answer();
    assert.deepEqual(await Promise.all(answers), ["SERVING", "SERVING", "SERVING"]);
  });

  it("closes an unused connection", async () => {
    identity.rotate();
    const coffer = connect();
    const { answer, call } = await arrive(coffer);
    call.answer();
    await answer;
    assert.equal(call.socket.destroyed, false);
    identity.rotate();
    await closed(call);
  });

  it("keeps its connection as long as nothing changes", async () => {
    identity.rotate();
    const coffer = connect();
    const first = await arrive(coffer);
    first.call.answer();
    await first.answer;
    const second = await arrive(coffer);
    second.call.answer();
    await second.answer;
    assert.equal(second.call.socket, first.call.socket);
  });

  it("fails immediately without an identity, and calls once there is one", async () => {
    const coffer = connect();
    await assert.rejects(coffer.health(), (error: unknown) => {
      assert.ok(error instanceof ClientError);
      assert.equal(error.code, "UNAVAILABLE");
      assert.deepEqual(error.failure, { kind: "no-identity", problems: ["the agent has not answered yet"] });
      assert.match(
        error.message,
        /^there is no identity to call 127\.0\.0\.1:\d+ with: the agent has not answered yet$/,
      );
      return true;
    });
    identity.rotate();
    const { answer, call } = await arrive(coffer);
    call.answer();
    assert.equal(await answer, "SERVING");
  });

  // A connection can outlive the SVID that the server presented in its handshake. The server must present a valid SVID
  // before the client sends another secret.
  it("verifies the server again when its SVID has expired", async () => {
    const ends = Math.floor(Date.now() / 1000) * 1000 + 60_000;
    server.rotate(serverSvid(ends));
    identity.rotate();
    const coffer = connect();
    const first = await arrive(coffer);
    first.call.answer();
    await first.answer;
    server.rotate(serverSvid());
    now = () => ends;
    const last = await arrive(coffer);
    assert.equal(last.call.socket, first.call.socket);
    last.call.answer();
    await last.answer;
    now = () => ends + 1;
    const next = await arrive(coffer);
    assert.notEqual(next.call.socket, first.call.socket);
    next.call.answer();
    assert.equal(await next.answer, "SERVING");
    await closed(first.call);
  });

  it("completes its last calls when it is closed, and starts no more", async () => {
    identity.rotate();
    const coffer = connect();
    const { answer, call } = await arrive(coffer);
    void coffer.close();
    await assert.rejects(coffer.health(), { name: "ClientError", code: "CANCELLED" });
    call.answer();
    assert.equal(await answer, "SERVING");
    await closed(call);
    identity.rotate();
    await assert.rejects(coffer.health(), { code: "CANCELLED" });
  });
});

describe("a client whose server disconnects", () => {
  const content = Content.unchecked([{ key: "k", kind: "binary", value: Buffer.alloc(2 << 20) }]);
  let server: ScriptedServer;
  let identity: RotatingIdentity;
  let coffer: CofferClient;
  beforeEach(async () => {
    server = await ScriptedServer.start(ca.issue({ id: String(COFFER) }));
    identity = new RotatingIdentity(ca);
    identity.rotate();
    const { address } = server;
    coffer = new CofferClient({
      address,
      identity: identity.source,
      serverId: COFFER,
      timeoutMs: PATIENCE_MS,
      retry: false,
    });
  });
  afterEach(async () => {
    await coffer.close();
    identity.current.close();
    await server.stop();
  });

  // GOAWAY names the last stream that the server processes. That call is answered, and the next one uses another
  // connection.
  it("gets its answer on the old connection, and makes its next call on a new one", async () => {
    const answer = coffer.health();
    const call = await server.call();
    await call.goAway();
    const next = coffer.health();
    const other = await server.call();
    assert.notEqual(other.socket, call.socket);
    other.answer();
    call.answer();
    assert.deepEqual(await Promise.all([answer, next]), ["SERVING", "SERVING"]);
  });

  // A call that crosses the GOAWAY ends with REFUSED_STREAM: the server has not processed any of it. The client repeats
  // even a large Put, and its caller does not notice.
  it("repeats a Put that the server has refused without processing it", async () => {
    const answer = coffer.put("a", content);
    (await server.call()).refuse();
    (await server.call()).answer();
    // The scripted server's answer is not a valid response to a Put, but it completes the call.
    await answer.catch((error: ClientError) => assert.notEqual(error.code, "UNAVAILABLE"));
    assert.equal(server.waiting, 0);
  });

  // The server may have applied the Put before it disconnected.
  it("does not repeat a Put during which the connection failed", async () => {
    const answer = coffer.put("a", content);
    (await server.call()).hangUp();
    await assert.rejects(answer, (error: unknown) => {
      assert.ok(error instanceof ClientError);
      assert.equal(error.failure?.kind, "broken");
      assert.deepEqual([error.code, error.applied], ["UNKNOWN", "unknown"]);
      return true;
    });
    // A repeated Put would arrive before this call.
    const health = coffer.health();
    (await server.call()).answer();
    assert.equal(await health, "SERVING");
    assert.equal(server.waiting, 0);
  });
});
