import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { connect as connectTls } from "node:tls";
import { shownBy } from "../../src/spiffe/sent-chain.ts";
import { awaitClientHello } from "../../src/admission/client-hello.ts";
import { type HandshakeContexts, handshakeContexts, performHandshake } from "../../src/admission/handshake.ts";
import { BareTlsClient } from "../support/bare-tls-client.ts";
import { commonName } from "../support/certificate-forge.ts";
import { bundle, example, forge, ID, NOW, workload, workloadKey } from "../support/chain-world.ts";
import { ManualTimers } from "../support/manual-timers.ts";
import { ownIdentity } from "./own-identity.ts";
import { FILTER } from "../support/loaded-filter.ts";
import { NO_FILTER } from "../../src/admission/certificate-filter.ts";

const CERTIFICATE_REQUEST = 13;

/** So many CAs that their names take more than the 64 KiB that a certificate request can contain. */
const many = Array.from({ length: 700 }, (_, number) =>
  forge.ca(undefined, { key: example.key, subject: commonName(`${number} ${"x".repeat(100)}`) }),
);
const bundles = new Map([
  ["example.org", bundle("example.org", example)],
  ["other.org", bundle("other.org", ...many)],
]);

function contextsFor(trusted: typeof bundles): HandshakeContexts {
  return handshakeContexts(ownIdentity(trusted, new ManualTimers(NOW)).snapshot(), FILTER);
}

/**
 * A server that reports OpenSSL's verdict on each client. With `early`, it begins the handshake before the ClientHello
 * arrives; with `late`, after that.
 */
async function serving(contexts: HandshakeContexts, beginning: "early" | "late", visit: (port: number) => void) {
  const outcome = new Promise<string>((resolve) => {
    const shake = (raw: Socket) =>
      performHandshake(raw, contexts, {
        complete: (socket) => {
          resolve(shownBy(socket).objection?.code ?? "no objection");
          socket.destroy();
        },
        refused: ({ reason }) => resolve(reason),
        failed: resolve,
      });
    const server = createServer((raw) => {
      server.close();
      raw.on("error", () => {});
      if (beginning === "early") shake(raw);
      else
        awaitClientHello(
          raw,
          () => shake(raw),
          () => resolve("no TLS"),
        );
    });
    server.listen(0, "127.0.0.1", () => visit((server.address() as AddressInfo).port));
  });
  return outcome;
}

/** Performs a handshake, and returns the server's certificate request and the outcome of the handshake. */
async function requestOf(contexts: HandshakeContexts): Promise<{ readonly request: string; readonly outcome: string }> {
  let request = "";
  const outcome = await serving(contexts, "late", (port) => {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    const onHandshakeMessage = (message: Buffer) => {
      if (message[0] === CERTIFICATE_REQUEST) request = message.toString("latin1");
    };
    BareTlsClient.introduce(socket, {
      chain: workload(),
      key: workloadKey.privateKey,
      request: Buffer.alloc(0),
      onHandshakeMessage,
    });
  });
  return { request, outcome };
}

function tlsClient(ecdhCurve: string) {
  return (port: number) => {
    const key = workloadKey.privateKey.export({ type: "pkcs8", format: "pem" });
    const { certPem: cert } = example.issue({ id: ID, key: workloadKey });
    const options = { cert, key, ecdhCurve, ALPNProtocols: ["h2"], rejectUnauthorized: false };
    connectTls({ host: "127.0.0.1", port, ...options })
      .on("error", () => {})
      .resume();
  };
}

describe("a certificate request", () => {
  // An unauthenticated client can read the request, and names would reveal the trusted CAs. The control is a server
  // whose first context already trusts the CAs.
  it("names no CA, and the client is verified with the CAs of all bundles", async () => {
    const contexts = contextsFor(new Map([["example.org", bundle("example.org", example)]]));
    const name = /SPIFFE/;
    const { request, outcome } = await requestOf(contexts);
    assert.ok(request.length > 0);
    assert.doesNotMatch(request, name);
    assert.equal(outcome, "no objection");
    const control = await requestOf({ ...contexts, requesting: contexts.verifying });
    assert.match(control.request, name);
  });

  // P-521 is not accepted, so the server requests another key share (HelloRetryRequest). A ClientHello that has not
  // arrived when the handshake begins is read at another point of the event loop. If the request named the CAs, each
  // handshake would fail because of the size of the request.
  for (const beginning of ["early", "late"] as const) {
    for (const groups of ["X25519", "P-521:P-256"]) {
      it(`does not make the handshake fail with 701 CAs (${groups}, begun ${beginning})`, async () => {
        assert.equal(await serving(contextsFor(bundles), beginning, tlsClient(groups)), "no objection");
      });
    }
  }

  it("(control) that names 701 CAs makes the handshake fail", async () => {
    const { verifying } = contextsFor(bundles);
    const outcome = await serving({ requesting: verifying, verifying, filter: NO_FILTER }, "late", tlsClient("X25519"));
    assert.match(outcome, /^ERR_SSL_/);
  });
});
