import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { connect as connectTls, createSecureContext, type TLSSocket } from "node:tls";
import type { CurrentIdentity } from "../../src/identity/current-identity.ts";
import { Connections } from "../../src/admission/connection.ts";
import { GrpcServer } from "../../src/grpc/grpc-server.ts";
import { performHandshake } from "../../src/admission/handshake.ts";
import { HandshakeGate } from "../../src/admission/handshake-gate.ts";
import { Listener } from "../../src/admission/listener.ts";
import { ConnectionAdmission } from "../../src/admission/connection-admission.ts";
import type { SecretsMethods } from "../../src/grpc/secrets-service.ts";
import { WIDE_LIMITS } from "../support/any-caller.ts";
import { ManualTimers } from "../support/manual-timers.ts";
import { example, forge, NOW, TRUST, workload, workloadKey } from "../support/chain-world.ts";
import { BareTlsClient } from "../support/bare-tls-client.ts";
import { ownIdentity } from "./own-identity.ts";
import { NO_WATCHES } from "../support/no-watches.ts";
import { FILTER } from "../support/loaded-filter.ts";
import { type CertificateFilter, NO_FILTER } from "../../src/admission/certificate-filter.ts";

// Record types (RFC 8446 5.1).
const ALERT = 21;
const HANDSHAKE = 22;

// The message type of a NewSessionTicket (RFC 8446 4).
const NEW_SESSION_TICKET = 4;

const PREFACE = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0)]);
const LIMITS = { connections: 10, inProgress: 10, perSecond: 1000 };
const HOUR = 3_600_000;

/** What a client received from the server between the end of its handshake and the end of the connection. */
interface Received {
  readonly alerts: readonly string[];
  /** Post-handshake messages. */
  readonly messages: readonly Buffer[];
}

/** The parts of a server from accept(2) to the HTTP/2 sessions. */
class Site {
  readonly timers = new ManualTimers(NOW);
  readonly identity = ownIdentity(TRUST, this.timers) as CurrentIdentity;
  readonly connections = new Connections();
  readonly server = new GrpcServer({
    connections: this.connections,
    ...WIDE_LIMITS,
    watch: NO_WATCHES,
    methods: {} as SecretsMethods,
    onHandled: () => {},
    timers: this.timers,
    random: () => 0.5,
  });
  readonly #admission: ConnectionAdmission;

  constructor(filter: CertificateFilter) {
    this.#admission = new ConnectionAdmission({
      identity: this.identity,
      connections: this.connections,
      gate: new HandshakeGate(LIMITS, this.timers),
      filter,
      timers: this.timers,
      onConnection: (connection) => this.server.serve(connection),
      onRefused: () => {},
    });
  }

  /**
   * Serves one client with this chain, and calls `end` as soon as HTTP/2 is established. Resolves when the connection
   * is closed.
   */
  async meet(chain: readonly Buffer[], request: Buffer, end: () => void): Promise<Received> {
    const accept = (socket: Socket) => this.#admission.receive(socket);
    const listener = await Listener.listen({ kind: "tcp", host: "127.0.0.1", port: 0 }, { accept, failed: () => {} });
    const client = connect((listener.address as { port: number }).port, "127.0.0.1");
    const alerts: string[] = [];
    const messages: Buffer[] = [];
    let ended = false;
    const endOnce = () => {
      if (!ended) end();
      ended = true;
    };
    const onRecord = (type: number, content: Buffer) => {
      if (type === ALERT) alerts.push(content.toString("hex"));
      else if (type === HANDSHAKE) messages.push(content);
      else endOnce();
    };
    BareTlsClient.introduce(client, { chain, key: workloadKey.privateKey, request, onRecord });
    // The server closes first: the client only answers its FIN.
    await once(client, "close");
    listener.close();
    this.#admission.close();
    this.identity.close();
    return { alerts, messages };
  }

  /** Advances the time until the server sends a keepalive PING, and then until the answer is overdue. */
  async keepAlive(): Promise<void> {
    const [first] = this.connections.all();
    assert.ok(first);
    this.timers.advance(60_000);
    do await turn();
    while (first.socket.writableLength > 0);
    this.timers.advance(20_000);
  }

  /** Shuts down without a grace period: this client answers no PING. */
  shutDown(): void {
    void this.server.drain(0);
    this.timers.advance(0);
  }

  /** Withdraws trust in every client. */
  endTrust(): void {
    const { state } = this.identity;
    assert.ok(state.kind === "ready");
    const { svid } = this.identity.snapshot();
    this.identity.adopt({ svid, validUntil: this.timers.clock() + HOUR, bundles: new Map() });
  }
}

// A warning alert, close_notify (RFC 8446 6.1), once.
const CLOSE_NOTIFY = ["0100"];

// Without close_notify, a client can't distinguish the server's end of a connection from a truncation by an attacker,
// and some TLS libraries report it as an error (RFC 8446 6.1).
describe("a connection that the server ends is closed with close_notify:", () => {
  const foreign = workload({}, forge.ca("spiffe://example.org"));
  const nothing = () => {};
  const ends: readonly [what: string, chain: readonly Buffer[], request: Buffer, end: (site: Site) => void][] = [
    ["its client is refused", foreign, PREFACE, nothing],
    ["its client presents no certificate", [], PREFACE, nothing],
    ["its client is no longer trusted", workload(), PREFACE, (site) => site.endTrust()],
    ["its client answers no PING", workload(), PREFACE, (site) => void site.keepAlive()],
    ["the server shuts down", workload(), PREFACE, (site) => site.shutDown()],
    ["its client does not speak HTTP/2", workload(), Buffer.from("GET / HTTP/1.1\r\n\r\n"), nothing],
  ];
  for (const [what, chain, request, end] of ends) {
    it(what, async () => {
      const site = new Site(FILTER);
      assert.deepEqual((await site.meet(chain, request, () => end(site))).alerts, CLOSE_NOTIFY);
    });
  }
});

// A session can't be resumed, so tickets have no use. Each costs the server a random number, a record and memory.
it("the server sends no tickets", async () => {
  const site = new Site(FILTER);
  const { messages } = await site.meet(workload(), PREFACE, () => site.shutDown());
  assert.deepEqual(messages, []);
});

// Node has no setting for the number of tickets that OpenSSL sends (SSL_CTX_set_num_tickets). If the filter can't be
// loaded, the tickets must be useless: 32 random bytes that identify a session which the server does not store. A ticket of
// the other kind (RFC 8446 4.6.1, "self-encrypted") contains the session itself, with the client's whole certificate.
it("a ticket that OpenSSL sends without the filter contains nothing of the session", async () => {
  const site = new Site(NO_FILTER);
  const longNames = workload({ dns: Array(50).fill("a.name.of.some.length") });
  const { messages } = await site.meet(longNames, PREFACE, () => site.shutDown());
  assert.equal(messages.length, 2);
  for (const message of messages) {
    assert.equal(message[0], NEW_SESSION_TICKET);
    // RFC 8446 4.6.1: the header, lifetime and age_add of four bytes each, and the nonce precede the ticket.
    const ticket = message.subarray(4 + 8 + 1 + message[12]!);
    assert.equal(ticket.readUInt16BE(0), 32);
  }
});

// The server must not wait for the alert to be sent: a client that does not read would keep a descriptor open.
it("a connection whose client does not read is closed as well", async () => {
  const { certPem: cert, keyPem: key } = example.issue({ id: "spiffe://example.org/own" });
  const secureContext = createSecureContext({ cert, key, minVersion: "TLSv1.3" });
  const listener = createServer((raw) => {
    raw.once("close", () => listener.emit("ended"));
    const complete = async (socket: TLSSocket) => {
      // Write more than the kernel buffers, so that the rest waits in this process.
      while (socket.write(Buffer.alloc(1 << 20)));
      for (let i = 0; i < 64; i++) socket.write(Buffer.alloc(1 << 20));
      await turn();
      assert.ok(socket.writableLength > 0);
      socket.destroy();
    };
    performHandshake(
      raw,
      { requesting: secureContext, verifying: secureContext, filter: NO_FILTER },
      {
        complete,
        refused: ({ detail }) => assert.fail(detail),
        failed: assert.fail,
      },
    );
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as { port: number };
  const client = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false });
  client.on("error", () => {});
  client.pause();
  await once(listener, "ended");
  client.destroy();
  listener.close();
});
