import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { type ConnectionOptions, connect, createSecureContext, createServer as createTlsServer } from "node:tls";
import { CofferClient } from "../../src/client/coffer-client.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { handshakeContexts, performHandshake } from "../../src/admission/handshake.ts";
import { ManualTimers } from "../support/manual-timers.ts";
import { example, ID, NOW, TRUST } from "../support/chain-world.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { ownIdentity } from "./own-identity.ts";
import { FILTER } from "../support/loaded-filter.ts";

const timers = new ManualTimers(NOW);
const own = ownIdentity(TRUST, timers);

/** Groups that the server refuses. The first costs the server a hundred times as much as X25519. */
const COSTLY = ["ffdhe8192", "ffdhe6144", "ffdhe4096", "ffdhe3072", "ffdhe2048", "P-521", "X448"];
// Groups that the server refuses and that not every OpenSSL supports.
const NEWER = ["brainpoolP512r1tls13", "MLKEM1024", "SecP384r1MLKEM1024"];

/**
 * Accepted groups. For the last entry, the client sends a key share for an unaccepted group, and the server requests
 * another one (HelloRetryRequest).
 */
const TAKEN = ["X25519MLKEM768", "X25519", "P-256", "P-384", "P-521:P-384"];

function isKnown(group: string): boolean {
  try {
    createSecureContext({ ecdhCurve: group });
    return true;
  } catch {
    return false;
  }
}

// Each accepted group must be a deliberate choice: the server's thread performs the computation for the group that an
// unauthenticated client chooses.
describe("the server, in a handshake,", () => {
  const server = createServer((raw) =>
    performHandshake(raw, handshakeContexts(own.snapshot(), FILTER), {
      complete: (socket) => {
        const { raw: certificate } = socket.getPeerCertificate();
        server.emit(
          "outcome",
          certificate === undefined ? "complete, without a certificate" : "complete, with a certificate",
        );
        socket.destroy();
      },
      refused: ({ reason }) => server.emit("outcome", reason),
      failed: (code) => {
        server.emit("outcome", code);
        raw.destroy();
      },
    }),
  );
  before(() => once(server.listen(0, "127.0.0.1"), "listening"));
  after(() => server.close());

  async function outcome(options: ConnectionOptions): Promise<string> {
    const { port } = server.address() as AddressInfo;
    const outcomes = once(server, "outcome");
    const client = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["h2"], ...options });
    client.on("error", () => {});
    const [outcome] = await outcomes;
    client.destroy();
    return outcome;
  }

  for (const group of [...COSTLY, ...NEWER]) {
    it(`refuses a ClientHello that offers only ${group}`, {
      skip: isKnown(group) ? false : "this OpenSSL does not support it",
    }, async () => {
      assert.match(await outcome({ ecdhCurve: group }), /^ERR_SSL_/);
    });
  }
  for (const group of TAKEN) {
    it(`accepts ${group}`, { skip: isKnown(group) ? false : "this OpenSSL does not support it" }, async () => {
      assert.equal(await outcome({ ecdhCurve: group }), "complete, without a certificate");
    });
  }

  // The server lists the signature algorithms that it accepts. A client that uses OpenSSL presents no certificate whose
  // key supports none of them.
  for (const [keyType, expected] of [
    ["P-256", "complete, with a certificate"],
    ["P-521", "complete, with a certificate"],
    ["ed448", "complete, without a certificate"],
  ] as const) {
    it(`with a client that has a key of the type ${keyType}: ${expected}`, async () => {
      const { certPem: cert, keyPem: key } = example.issue({ id: ID, keyType });
      assert.equal(await outcome({ cert, key }), expected);
    });
  }
});

// As with servers, each group must be a choice: a server that pretends to be Coffer must not cause expensive work in
// its clients.
describe("the client, in a handshake,", () => {
  async function call(ecdhCurve: string): Promise<string | undefined> {
    const { certPem: cert, keyPem: key } = example.issue({ id: ID });
    const server = createTlsServer({ cert, key, ecdhCurve, ALPNProtocols: ["h2"] }, (socket) => socket.destroy());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = { kind: "tcp", host: "127.0.0.1", port: (server.address() as AddressInfo).port } as const;
    const options = {
      address,
      identity: own,
      serverId: SpiffeId.parse(ID),
      timeoutMs: PATIENCE_MS,
      retry: false,
      timers,
    };
    const client = new CofferClient(options);
    const error = await client.health().catch((failed: unknown) => failed);
    await client.close();
    server.close();
    return (error as { failure?: { kind: string } }).failure?.kind;
  }

  it("does not offer ffdhe8192", async () => {
    assert.equal(await call("ffdhe8192"), "handshake-failed");
  });
  it("offers P-384", async () => {
    assert.notEqual(await call("P-384"), "handshake-failed");
  });
});
