import assert from "node:assert/strict";
import { once } from "node:events";
import { type Socket, connect as connectTcp } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type TLSSocket, connect } from "node:tls";
import { getRequest, getResponse } from "../../src/contract/messages.ts";
import { processTimers, type Timers } from "../../src/domain/timers.ts";
import { Bundle } from "../../src/spiffe/bundle.ts";
import { CurrentIdentity } from "../../src/identity/current-identity.ts";
import type { IdentitySource } from "../../src/identity/source.ts";
import { parseSvid } from "../../src/spiffe/svid.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { type DevelopmentCa, type Credential, createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { Connections } from "../../src/admission/connection.ts";
import type { Refused } from "../../src/admission/connection-refusal.ts";
import { GrpcServer } from "../../src/grpc/grpc-server.ts";
import { HandshakeGate, type HandshakeLimits } from "../../src/admission/handshake-gate.ts";
import { Listener } from "../../src/admission/listener.ts";
import { ConnectionAdmission } from "../../src/admission/connection-admission.ts";
import type { SecretsMethods } from "../../src/grpc/secrets-service.ts";
import { ANY_CALLER, WIDE_LIMITS } from "../support/any-caller.ts";
import { ManualTimers } from "../support/manual-timers.ts";
import { nextEvent } from "../support/next-event.ts";
import { Caller } from "../support/server-kit.ts";
import { NO_WATCHES } from "../support/no-watches.ts";
import { FILTER } from "../support/loaded-filter.ts";

const EXAMPLE = TrustDomain.parse("example.org");
const OTHER = TrustDomain.parse("other.org");

/** The transport of a server with an identity that the test replaces. Its only method returns the caller. */
class Rotating {
  readonly timers = new ManualTimers(Date.now());
  readonly example = createDevelopmentCa(EXAMPLE, this.timers.clock);
  readonly other = createDevelopmentCa(OTHER, this.timers.clock);
  readonly refused: Refused[] = [];
  readonly connections = new Connections();
  readonly identity: CurrentIdentity & Partial<IdentitySource>;
  readonly server: GrpcServer;
  readonly admission: ConnectionAdmission;
  #listener: Listener | undefined;

  constructor(limits: HandshakeLimits, gateTimers: Timers) {
    this.identity = new CurrentIdentity(this.timers, "nothing yet");
    this.adopt(this.serverSvid(), [this.example, this.other]);
    const handle = (caller: { id: { toString(): string } }) => ({ ...ANSWER, path: caller.id.toString() });
    const methods = {
      Get: { request: getRequest, response: getResponse, ...ANY_CALLER, handle },
    } as unknown as SecretsMethods;
    const { connections, timers } = this;
    this.server = new GrpcServer({
      connections,
      ...WIDE_LIMITS,
      watch: NO_WATCHES,
      methods,
      onHandled: () => {},
      timers,
      random: () => 0.5,
    });
    this.admission = new ConnectionAdmission({
      identity: this.identity,
      connections,
      // By default, the gate uses real time. The tests advance the time of connections and SVIDs.
      gate: new HandshakeGate(limits, gateTimers),
      filter: FILTER,
      timers,
      onConnection: (connection) => this.server.serve(connection),
      onRefused: (refused) => this.refused.push(refused),
    });
  }

  static async start(limits = LIMITS, gateTimers: Timers = processTimers): Promise<Rotating> {
    const rotating = new Rotating(limits, gateTimers);
    const address = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
    rotating.#listener = await Listener.listen(address, {
      accept: (socket) => rotating.admission.receive(socket),
      failed: (error) => rotating.admission.notAccepted(error),
    });
    return rotating;
  }

  get port(): number {
    return (this.#listener!.address as { port: number }).port;
  }

  serverSvid(): Credential {
    return this.example.issue({ id: "spiffe://example.org/coffer", dns: ["localhost"] });
  }

  adopt({ certPem, keyPem }: Credential, authorities: readonly DevelopmentCa[]): void {
    const named = (name: string, text: string) => ({ name, bytes: Buffer.from(text) });
    const domains = authorities.map((ca) => (ca === this.other ? OTHER : EXAMPLE));
    const bundles = new Map(
      authorities.map((ca, i) => [domains[i]!.name, Bundle.fromPem(domains[i]!, Buffer.from(ca.bundlePem), "bundle")]),
    );
    const svid = parseSvid(named("cert", certPem), named("key", keyPem), "server");
    this.identity.adopt({ svid, validUntil: this.timers.clock() + 1e9, bundles });
  }

  caller(credential: Credential): Caller {
    return new Caller(`localhost:${this.port}`, Buffer.from(this.example.bundlePem), credential, {});
  }

  async stop(): Promise<void> {
    this.#listener?.close();
    this.admission.close();
    const drained = this.server.drain(1000);
    this.timers.advance(2000);
    await drained;
    this.identity.close();
  }
}

const LIMITS = { connections: 5000, inProgress: 100, perSecond: 1000 };

const ANSWER = { version: 1, data: [], binaryData: [], createTime: 0, revision: 1 };

async function whoami(caller: Caller): Promise<string> {
  const { code, reason, response } = await caller.get({ path: "a" });
  return code === "OK" ? response.path : (reason ?? code);
}

function closed(connections: Connections): Promise<void> {
  return connections.allClosed();
}

describe("rotation while serving", () => {
  // Each test has its own server: a client that was just closed may still complete a connection.
  let server: Rotating;
  beforeEach(async () => {
    server = await Rotating.start();
  });
  afterEach(() => server.stop());

  // The next handshake uses the new SVID, and the open connection is not affected.
  it("uses a new SVID for the next handshake, and drops no connection", async () => {
    const caller = server.caller(server.example.issue({ id: "spiffe://example.org/a" }));
    assert.equal(await whoami(caller), "spiffe://example.org/a");
    const [before] = server.connections.all();
    const next = server.serverSvid();
    server.adopt(next, [server.example, server.other]);
    assert.equal(await whoami(caller), "spiffe://example.org/a");
    assert.equal(server.connections.all()[0], before);
    const socket = connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    await nextEvent(socket, "secureConnect");
    assert.deepEqual(socket.getPeerX509Certificate()?.raw, next.certificate);
    socket.destroy();
    caller.close();
    await closed(server.connections);
  });

  // A partial update of the TLS options would allow TLS 1.2.
  it("accepts only TLS 1.3 after a rotation", async () => {
    server.adopt(server.serverSvid(), [server.example, server.other]);
    const old = connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false, maxVersion: "TLSv1.2" });
    const [error] = (await nextEvent(old, "error")) as [NodeJS.ErrnoException];
    assert.equal(error.code, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
  });

  // The peers of a removed trust domain are disconnected and cannot reconnect. All others stay connected.
  it("ends exactly the connections whose trust domain no longer has a bundle", async () => {
    const stays = server.caller(server.example.issue({ id: "spiffe://example.org/stays" }));
    const goes = server.caller(server.other.issue({ id: "spiffe://other.org/goes" }));
    assert.equal(await whoami(stays), "spiffe://example.org/stays");
    assert.equal(await whoami(goes), "spiffe://other.org/goes");
    const leaving = server.connections.all().find(({ id }) => id.toString() === "spiffe://other.org/goes")!;
    const staying = server.connections.all().find(({ id }) => id.toString() === "spiffe://example.org/stays")!;
    const gone = once(leaving.socket, "close");
    server.adopt(server.serverSvid(), [server.example]);
    await gone;
    assert.deepEqual(server.connections.all(), [staying]);
    assert.equal(await whoami(stays), "spiffe://example.org/stays");
    assert.equal(await whoami(goes), "UNAVAILABLE");
    const reasons = server.refused.filter(({ claimed }) => claimed?.toString() === "spiffe://other.org/goes");
    assert.ok(reasons.length >= 2 && reasons.every(({ reason }) => reason === "no-bundle"));
    stays.close();
    goes.close();
    await closed(server.connections);
  });

  // The server verifies the connections a few at a time, and omits none.
  it("verifies every connection again, for any number of them", async () => {
    const credential = server.other.issue({ id: "spiffe://other.org/many" });
    const sockets = await Promise.all(Array.from({ length: 60 }, () => served(server.port, credential)));
    const many = server.connections.all().filter(({ id }) => id.toString() === "spiffe://other.org/many");
    assert.equal(many.length, 60);
    const all = closed(server.connections);
    server.adopt(server.serverSvid(), [server.example]);
    await all;
    assert.equal(server.connections.count, 0);
    for (const socket of sockets) socket.destroy();
  });
});

describe("an SVID that expires while its connection is open", () => {
  // The server sends GOAWAY after 80 % of the remaining time and closes the connection when the SVID expires.
  it("ends the connection", async () => {
    const server = await Rotating.start();
    const now = server.timers.clock();
    const notAfter = Math.floor(now / 1000) * 1000 + 100_000;
    const credential = server.example.issue({ id: "spiffe://example.org/short", notAfter });
    const caller = server.caller(credential);
    assert.equal(await whoami(caller), "spiffe://example.org/short");
    const [connection] = server.connections.all();
    assert.equal(connection!.validUntil, notAfter);
    const gone = once(connection!.socket, "close");
    server.timers.advance(notAfter - now - 1);
    await gone;
    caller.close();
    await server.stop();
  });

  // The timer that closes the connection can be late.
  it("causes SVID_EXPIRED for a call that arrives before the connection is closed", async () => {
    const server = await Rotating.start();
    const caller = server.caller(server.example.issue({ id: "spiffe://example.org/a" }));
    assert.equal(await whoami(caller), "spiffe://example.org/a");
    const [connection] = server.connections.all();
    Object.defineProperty(connection, "validUntil", { value: server.timers.clock() - 1 });
    const { code, reason } = await caller.get({ path: "a" });
    assert.deepEqual([code, reason], ["UNAUTHENTICATED", "SVID_EXPIRED"]);
    caller.close();
    await server.stop();
  });
});

// A closed connection makes space for another one, whether it was served or refused.
it("counts open connections, and not closed ones", async () => {
  const server = await Rotating.start({ connections: 2, inProgress: 100, perSecond: 1000 });
  const good = server.example.issue({ id: "spiffe://example.org/a" });
  for (let i = 0; i < 5; i++) {
    const socket = await served(server.port, good);
    const closing = closed(server.connections);
    socket.destroy();
    await closing;
    const refused = connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
    refused.on("error", () => {});
    await new Promise((resolve) => refused.once("close", resolve));
  }
  assert.deepEqual(new Set(server.refused.map(({ reason }) => reason)), new Set(["no-h2"]));
  const [first, second] = [await served(server.port, good), await served(server.port, good)];
  const third = connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
  third.on("error", () => {});
  await new Promise((resolve) => third.once("close", resolve));
  assert.equal(server.refused.at(-1)?.reason, "too-many-connections");
  for (const socket of [first, second]) socket.destroy();
  await server.stop();
});

// This happens when a CA certificate is replaced by one with the same key and an earlier expiry. The verification of
// its SVIDs then expires earlier too.
it("closes a connection when its verification expires, after a new bundle has shortened it", async () => {
  const server = await Rotating.start();
  const caller = server.caller(server.example.issue({ id: "spiffe://example.org/a" }));
  assert.equal(await whoami(caller), "spiffe://example.org/a");
  const [connection] = server.connections.all();
  const gone = closed(server.connections);
  let validUntil = connection!.validUntil;
  Object.defineProperty(connection, "validUntil", { get: () => validUntil });
  Object.defineProperty(connection, "verifyAgain", { value: () => (validUntil = server.timers.clock() + 1000) });
  server.adopt(server.serverSvid(), [server.example]);
  server.timers.advance(900);
  assert.equal(await whoami(caller), "spiffe://example.org/a");
  server.timers.advance(200);
  await gone;
  caller.close();
  await server.stop();
});

// An unexpected error during a rotation would end the process with all its connections.
it("closes a connection whose verification throws, and no other", async () => {
  const server = await Rotating.start();
  const [caller, other] = ["a", "b"].map((name) =>
    server.caller(server.example.issue({ id: `spiffe://example.org/${name}` })),
  );
  for (const each of [caller!, other!]) await whoami(each);
  const [first] = server.connections.all();
  const gone = new Promise((resolve) => first!.socket.once("close", resolve));
  Object.defineProperty(first, "verifyAgain", {
    value: () => {
      throw new TypeError("oops");
    },
  });
  server.adopt(server.serverSvid(), [server.example]);
  await gone;
  assert.equal(server.refused.at(-1)?.reason, "internal");
  assert.equal(await whoami(other!), "spiffe://example.org/b");
  for (const each of [caller!, other!]) each.close();
  await server.stop();
});

describe("unauthenticated clients", () => {
  // The clients that wait can be legitimate ones, for which the server is too slow. The operator must be able to see
  // that.
  it("whose handshake is not begun in time are logged with their own reason", async () => {
    const server = await Rotating.start({ connections: 10, inProgress: 10, perSecond: 0.2 }, new ManualTimers(0));
    const openConnection = () => {
      const socket = connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
      return socket.on("error", () => {});
    };
    const end = (socket: Socket) => new Promise((resolve) => socket.once("close", resolve));
    await end(openConnection());
    const waiting = openConnection();
    await nextEvent(waiting, "connect");
    // When the server refuses this connection for its first bytes, it has read the ClientHello of the earlier one too.
    const noTls = connectTcp(server.port, "127.0.0.1").end("GET / HTTP/1.1\r\n\r\n");
    await end(noTls.on("error", () => {}));
    server.timers.advance(10_000);
    await end(waiting);
    const reasons = server.refused.map(({ reason }) => reason);
    assert.deepEqual(reasons, ["no-h2", "handshake-failed", "handshake-not-begun"]);
    await server.stop();
  });

  // An error during the verification of an unauthenticated client must not reach the event loop, where it would end the
  // process.
  it("whose verification throws are refused, and the next one is verified", async () => {
    const server = await Rotating.start();
    const state = () => {
      throw new Error("no identity");
    };
    Object.defineProperty(server.identity, "state", { get: state, configurable: true });
    const caller = server.caller(server.example.issue({ id: "spiffe://example.org/a" }));
    assert.equal(await whoami(caller), "UNAVAILABLE");
    assert.equal(server.refused.at(-1)?.reason, "internal");
    Reflect.deleteProperty(server.identity, "state");
    const again = server.caller(server.example.issue({ id: "spiffe://example.org/a" }));
    assert.equal(await whoami(again), "spiffe://example.org/a");
    caller.close();
    again.close();
    await server.stop();
  });

  // The server has many times more silent and half-open connections than the limit. A legitimate client is neither
  // refused nor delayed.
  it("that send nothing do not delay a legitimate client", async () => {
    const server = await Rotating.start({ connections: 5000, inProgress: 50, perSecond: 1000 });
    const silent = await Promise.all(Array.from({ length: 500 }, (_, i) => silentClient(server.port, i)));
    const caller = server.caller(server.example.issue({ id: "spiffe://example.org/good" }));
    assert.equal(await whoami(caller), "spiffe://example.org/good");
    const displaced = server.refused.filter(({ reason }) => reason === "handshake-displaced");
    assert.ok(displaced.length >= 450, `${displaced.length}`);
    for (const socket of silent) socket.destroy();
    caller.close();
    await server.stop();
  });

  it("that never complete the handshake are disconnected after ten seconds", async () => {
    const server = await Rotating.start();
    const silent = await silentClient(server.port, 0);
    while (server.timers.pauses.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const gone = once(silent, "close");
    server.timers.advance(10_000);
    await gone;
    assert.equal(server.refused.at(-1)?.reason, "handshake-abandoned");
    await server.stop();
  });
});

// If the connection stayed open, its client would get SHUTTING_DOWN for every call on it, and the shutdown would not
// wait for it.
it("closes a connection whose handshake completes after the server has started to drain", async () => {
  const server = await Rotating.start();
  const { certPem, keyPem } = server.example.issue({ id: "spiffe://example.org/a" });
  const early = await silentClient(server.port, 0);
  while (server.timers.pauses.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await server.stop();
  const late = connect({ socket: early, cert: certPem, key: keyPem, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
  late.on("error", () => {});
  const received: Buffer[] = [];
  late.on("data", (bytes: Buffer) => received.push(bytes));
  await nextEvent(late, "secureConnect");
  await once(late, "close");
  await server.connections.allClosed();
  assert.deepEqual([received, server.refused, server.connections.count], [[], [], 0]);
});

/** Opens a connection that sends nothing, or half of a TLS record. */
async function silentClient(port: number, i: number): Promise<Socket> {
  const socket = connectTcp(port, "127.0.0.1");
  socket.on("error", () => {});
  await nextEvent(socket, "connect");
  if (i % 2 === 1) socket.write(Buffer.from([22, 3, 1, 2, 0, 1]));
  return socket;
}

/** Opens a TLS connection on which the server has sent its first HTTP/2 bytes: the server has accepted the peer. */
async function served(port: number, { certPem, keyPem }: Credential): Promise<TLSSocket> {
  const tls = { cert: certPem, key: keyPem, rejectUnauthorized: false, ALPNProtocols: ["h2"] };
  const socket = connect({ port, host: "127.0.0.1", ...tls });
  socket.on("error", () => {});
  await nextEvent(socket, "data");
  return socket;
}
