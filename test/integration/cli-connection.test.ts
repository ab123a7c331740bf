import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, type Server, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { constants, type ServerHttp2Stream, createServer as createHttp2Server } from "node:http2";
import type { Address } from "../../src/domain/address.ts";
import { ClientError } from "../../src/client/client-error.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import type { ConnectionFailure } from "../../src/client/connection-failure.ts";
import { processTimers, systemClock } from "../../src/domain/timers.ts";
import { Content } from "../../src/domain/content.ts";
import { Bundle } from "../../src/spiffe/bundle.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { parseSvid } from "../../src/spiffe/svid.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { type DevelopmentCa, type Credential, createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { freePort } from "../support/free-port.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { ADMIN, API, ServerKit } from "../support/server-kit.ts";

const COFFER = SpiffeId.parse("spiffe://example.org/coffer");
const DOMAIN = TrustDomain.parse("example.org");
const CONTENT = Content.unchecked([{ key: "k", kind: "text", value: Buffer.from("v") }]);

/** A client with this credential, which trusts this CA. */
function client(address: Address, credential: Credential, id: string, ca: DevelopmentCa, clock = systemClock) {
  const bundle = Bundle.fromPem(DOMAIN, Buffer.from(ca.bundlePem), "bundle");
  const files = [credential.certPem, credential.keyPem].map((pem) => ({ name: id, bytes: Buffer.from(pem) }));
  const svid = parseSvid(files[0]!, files[1]!, "client");
  const snapshot = { generation: 1, svid, validUntil: svid.notAfter, bundles: new Map([[DOMAIN.name, bundle]]) };
  return new CofferClient({
    address,
    identity: { snapshot: () => snapshot, onChange: () => () => {} },
    serverId: COFFER,
    timeoutMs: PATIENCE_MS,
    retry: false,
    timers: { ...processTimers, clock },
  });
}

/** Makes a Put, closes the client, and returns the failure. */
async function failureOfPut(coffer: CofferClient): Promise<ConnectionFailure> {
  try {
    await coffer.put("shop/api/db", CONTENT);
  } catch (error) {
    assert.ok(error instanceof ClientError);
    assert.ok(error.failure, error.message);
    // UNAVAILABLE means that nothing was applied, so a call that may have reached the server must not fail with it.
    const expected = error.failure.kind === "broken" ? ["UNKNOWN", "unknown"] : ["UNAVAILABLE", "no"];
    assert.deepEqual([error.code, error.applied], expected);
    return error.failure;
  } finally {
    await coffer.close();
  }
  assert.fail("the Put was answered");
}

async function listening(server: Server): Promise<Address> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { kind: "tcp", host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

describe("a client", () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-cli-"));
  let kit: ServerKit;
  before(async () => {
    const socket = { kind: "unix", path: join(folder, "socket"), mode: 0o600 } as const;
    kit = await ServerKit.start({ listen: [{ kind: "tcp", host: "127.0.0.1", port: 0 }, socket] });
  });
  after(async () => {
    await kit.stop();
    rmSync(folder, { recursive: true });
  });

  const api = (address: Address = kit.address) => client(address, kit.issue({ id: API }), API, kit.ca);

  it("puts, gets, lists, describes and deletes", async () => {
    const coffer = api();
    const bytes = Buffer.from([0, 255]);
    const entries = [
      { key: "__proto__", kind: "text", value: Buffer.from("ü") },
      { key: "key", kind: "binary", value: bytes },
    ] as const;
    assert.equal((await coffer.put("shop/api/db", Content.unchecked(entries), { expectedVersion: 0 })).version, 1);
    const secret = await coffer.get("shop/api/db");
    assert.deepEqual(secret.content.entries(), entries);
    assert.deepEqual(
      (await coffer.describe("shop/api/db")).versions.map(({ createdBy }) => createdBy),
      [API],
    );
    assert.deepEqual((await coffer.delete("shop/api/db", { versions: [1], expectedVersion: 1 })).versions, [1]);
    await assert.rejects(coffer.get("shop/api/db", { version: 1 }), { code: "NOT_FOUND", reason: "VERSION_DELETED" });
    assert.equal(await coffer.health(), "SERVING");
    await coffer.close();
  });

  it("lists every page", async () => {
    const admin = client(kit.address, kit.issue({ id: ADMIN }), ADMIN, kit.ca);
    const paths = Array.from({ length: 120 }, (_, i) => `many/${String(i).padStart(3, "0")}`);
    await Promise.all(paths.map((path) => admin.put(path, CONTENT)));
    const listed: string[] = [];
    for await (const { path } of admin.list("many/")) listed.push(path);
    assert.deepEqual(listed, paths);
    await admin.close();
  });

  it("calls over a unix socket, without a host name to verify", async () => {
    const coffer = api(kit.server.addresses[1]!);
    assert.equal((await coffer.put("shop/api/unix", CONTENT)).version, 1);
    await coffer.close();
  });

  it("reports that nothing listens", async () => {
    const failure = await failureOfPut(api({ kind: "tcp", host: "127.0.0.1", port: await freePort() }));
    assert.equal(failure.kind, "unreachable");
    assert.match(failure.problem, /^connect ECONNREFUSED/);
    const nowhere = await failureOfPut(api({ kind: "unix", path: "/nowhere/coffer.sock" }));
    assert.equal(nowhere.kind, "unreachable");
  });

  // RFC 6761 6.4: no name below "invalid" ever has an address. The call was not sent and may be repeated.
  it("reports that the server's name is unknown", async () => {
    const failure = await failureOfPut(api({ kind: "tcp", host: "coffer.invalid", port: 8553 }));
    assert.equal(failure.kind, "unreachable");
  });

  it("reports a server that does not speak TLS", async () => {
    const plain = createTcpServer((socket) => socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const failure = await failureOfPut(api(await listening(plain)));
    plain.close();
    assert.equal(failure.kind, "handshake-failed");
  });

  // TLS 1.2 would reveal the client's certificate, and so its identity, to an eavesdropper.
  it("accepts only TLS 1.3", async () => {
    const { certPem: cert, keyPem: key } = kit.issue({ id: String(COFFER) });
    const old = createTlsServer({ cert, key, maxVersion: "TLSv1.2", minVersion: "TLSv1.2" });
    const failure = await failureOfPut(api(await listening(old)));
    old.close();
    assert.equal(failure.kind, "handshake-failed");
  });

  // Only the server's log has the reason: TLS 1.3 reports nothing to the client.
  it("reports that the server closed the connection right after the handshake", async () => {
    const otherCa = createDevelopmentCa(DOMAIN, systemClock);
    const failure = await failureOfPut(client(kit.address, otherCa.issue({ id: API }), API, kit.ca));
    assert.equal(failure.kind, "closed-at-once");
    assert.deepEqual([String(failure.as), String(failure.by)], [API, String(COFFER)]);
    await kit.settled();
    assert.ok(kit.log.some(({ event, reason }) => event === "connection refused" && reason === "untrusted"));
  });
});

describe("a client of a server that may be the wrong one", () => {
  const ca = createDevelopmentCa(DOMAIN, systemClock);
  const otherCa = createDevelopmentCa(DOMAIN, systemClock);
  const callerOf = (address: Address, clock = systemClock) => client(address, ca.issue({ id: API }), API, ca, clock);

  /** Makes a Put to a TLS server with this credential. Returns the failure, and the bytes that the server received. */
  async function putTo(
    credential: Credential,
    clock = systemClock,
  ): Promise<{ failure: ConnectionFailure; received: Buffer }> {
    const { certPem: cert, keyPem: key } = credential;
    const chunks: Buffer[] = [];
    const server = createTlsServer({ cert, key, ALPNProtocols: ["h2"], requestCert: true, rejectUnauthorized: false });
    server.on("secureConnection", (socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        chunks.push(chunk);
        socket.destroy();
      });
    });
    const failure = await failureOfPut(callerOf(await listening(server), clock));
    server.close();
    await once(server, "close");
    return { failure, received: Buffer.concat(chunks) };
  }

  // The positive control of the tests below: the client does send to the right server, beginning with HTTP/2's preface.
  it("sends to a server with the expected SPIFFE ID", async () => {
    const { received } = await putTo(ca.issue({ id: String(COFFER) }));
    assert.match(received.toString("latin1"), /^PRI \* HTTP\/2\.0/);
  });

  // Any workload of the same trust domain can listen at an address. It must not receive what is meant for the server.
  it("sends nothing to another workload of the trust domain", async () => {
    const { failure, received } = await putTo(ca.issue({ id: API, dns: ["localhost"], ip: ["127.0.0.1"] }));
    assert.equal(failure.kind, "wrong-server");
    assert.deepEqual([String(failure.expected), String(failure.got)], [String(COFFER), API]);
    assert.equal(received.length, 0);
  });

  it("sends nothing to a server whose SVID is from an unknown CA", async () => {
    const { failure, received } = await putTo(otherCa.issue({ id: String(COFFER) }));
    assert.equal(failure.kind, "untrusted-server");
    assert.equal(failure.refusal.reason, "untrusted");
    assert.equal(received.length, 0);
  });

  it("sends nothing to a server whose SVID is expired", async () => {
    const credential = ca.issue({ id: String(COFFER) });
    const { failure, received } = await putTo(credential, () => credential.notAfter + 1000);
    assert.equal(failure.kind, "untrusted-server");
    assert.equal(failure.refusal.reason, "expired");
    assert.equal(received.length, 0);
  });

  // If the connection fails during a Put, the Put may have been applied. The client must not repeat it automatically.
  it("reports a broken connection, and does not repeat the call", async () => {
    const { certPem: cert, keyPem: key } = ca.issue({ id: String(COFFER) });
    let calls = 0;
    const http2 = createHttp2Server();
    http2.on("stream", (stream: ServerHttp2Stream) => {
      calls += 1;
      stream.on("error", () => {});
      stream.session!.destroy(undefined, constants.NGHTTP2_INTERNAL_ERROR);
    });
    const server = createTlsServer({ cert, key, ALPNProtocols: ["h2"] }, (socket) => http2.emit("connection", socket));
    const failure = await failureOfPut(callerOf(await listening(server)));
    server.close();
    assert.equal(failure.kind, "broken");
    assert.equal(calls, 1);
  });
});
