import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type ConnectionOptions, connect, createServer } from "node:tls";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { type ListenAddress, ListenRefused, Listener } from "../../src/admission/listener.ts";
import { fetchOps } from "../support/fetch-ops.ts";
import { nextEvent } from "../support/next-event.ts";
import { ADMIN, API, Caller, type Outcome, ServerKit, WEB } from "../support/server-kit.ts";

let kit: ServerKit;
let socket: string;

before(async () => {
  kit = await ServerKit.start();
  socket = join(kit.folder, "coffer.sock");
  const listen = [...kit.config.listen, { kind: "unix" as const, path: socket, mode: 0o660 }];
  Object.assign(kit.config, { listen });
  await kit.restart();
});

after(() => kit.stop());

function port(): number {
  return kit.address.kind === "tcp" ? kit.address.port : 0;
}

/** Connects with these options. Waits until the server has closed the connection or has sent its first HTTP/2 bytes. */
async function verdict(options: ConnectionOptions): Promise<"served" | "closed"> {
  const client = connect({
    port: port(),
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
    ...options,
  });
  client.on("error", () => {});
  const ended = await new Promise<"served" | "closed">((resolve) => {
    client.once("data", () => resolve("served"));
    client.once("close", () => resolve("closed"));
  });
  client.destroy();
  return ended;
}

async function refusals(reason: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  await kit.settled();
  return kit.log.filter((line) => line.event === "connection refused" && line["reason"] === reason);
}

async function metric(name: string): Promise<number> {
  const body = await (await fetchOps(`${kit.opsUrl}/metrics`)).text();
  const line = body.split("\n").find((each) => each.startsWith(name));
  return Number(line?.split(" ").at(-1) ?? 0);
}

/** Connects to a server of node:tls that has the certificate of the kit's server, and returns the session that it offers. */
async function sessionOfAnotherServer(options: ConnectionOptions): Promise<Buffer> {
  const [cert, key] = [kit.files.cert, kit.files.key].map((file) => readFileSync(file));
  const other = createServer({ cert: cert!, key: key!, ALPNProtocols: ["h2"] }, (accepted) =>
    accepted.on("error", () => {}),
  );
  other.listen(0, "127.0.0.1");
  await nextEvent(other, "listening");
  const client = connect({ ...options, port: (other.address() as AddressInfo).port });
  const [session] = (await nextEvent(client, "session")) as [Buffer];
  client.destroy();
  other.close();
  return session;
}

function keyPair({ certPem, keyPem }: { certPem: string; keyPem: string }): ConnectionOptions {
  return { cert: certPem, key: keyPem };
}

describe("a connection", () => {
  it("is served when its SVID is valid", async () => {
    assert.equal(await verdict(keyPair(kit.issue({ id: API }))), "served");
  });

  it("is closed without a certificate", async () => {
    assert.equal(await verdict({}), "closed");
    assert.equal((await refusals("no-certificate")).length, 1);
  });

  // The SPIFFE ID is the same, but the bundle of its trust domain does not contain this CA.
  it("is closed when an unknown CA signed its SVID", async () => {
    const unknownCa = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock);
    assert.equal(await verdict(keyPair(unknownCa.issue({ id: ADMIN }))), "closed");
    assert.equal((await refusals("untrusted")).at(-1)?.["spiffe_id"], ADMIN);
  });

  it("is closed when there is no bundle for its trust domain", async () => {
    assert.equal(await verdict(keyPair(kit.issue({ id: "spiffe://other.org/x" }))), "closed");
    assert.equal((await refusals("no-bundle")).length, 1);
  });

  it("is closed when its SVID is expired", async () => {
    const now = Date.now();
    const expired = kit.issue({ id: API, notBefore: now - 10_000, notAfter: now - 1000 });
    assert.equal(await verdict(keyPair(expired)), "closed");
    assert.equal((await refusals("expired")).length, 1);
  });

  it("is closed below TLS 1.3 and without h2", async () => {
    const credential = keyPair(kit.issue({ id: API }));
    assert.equal(await verdict({ ...credential, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }), "closed");
    assert.equal(await verdict({ ...credential, ALPNProtocols: ["http/1.1"] }), "closed");
    assert.equal(await verdict({ ...credential, minVersion: "TLSv1.3" }), "served");
  });

  // A claimed ID that does not parse consists of bytes of an unauthenticated client. No part of them may reach the log.
  it("has no claimed ID in the log if the ID does not parse", async () => {
    assert.equal(await verdict(keyPair(kit.issue({ id: "spiffe://example.org/evil%0aline" }))), "closed");
    const [line] = await refusals("malformed-spiffe-id");
    assert.ok(line !== undefined && line["spiffe_id"] === undefined);
    assert.ok(!JSON.stringify(line).includes("evil"));
  });

  // A resumed session would have the identity of an earlier handshake, even for a client without a certificate. The server
  // offers none: tickets would arrive before its first bytes of HTTP/2. So the session that is tried is of another server
  // with the same certificate, which is the control.
  it("never resumes a session", async () => {
    const credential = keyPair(kit.issue({ id: API }));
    const base = { host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"], ...credential };
    const first = connect({ ...base, port: port() });
    const offered: Buffer[] = [];
    first.on("session", (session: Buffer) => offered.push(session));
    await nextEvent(first, "data");
    first.destroy();
    assert.deepEqual(offered, []);

    const session = await sessionOfAnotherServer(base);
    const again = connect({ ...base, port: port(), session });
    await nextEvent(again, "data");
    assert.equal(again.isSessionReused(), false);
    again.destroy();
    assert.equal(await verdict({ session }), "closed");
  });

  it("that ends without a handshake is counted and not logged", async () => {
    await kit.settled();
    const lines = kit.log.length;
    const before = await metric('coffer_connections_refused_total{reason="handshake-abandoned"}');
    const probe = connectTcp(port(), "127.0.0.1");
    await nextEvent(probe, "connect");
    probe.resetAndDestroy();
    while ((await metric('coffer_connections_refused_total{reason="handshake-abandoned"}')) === before) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await kit.settled();
    assert.deepEqual(
      kit.log.slice(lines).filter((line) => line.event === "connection refused"),
      [],
    );
  });

  it("that speaks plain text is refused and logged", async () => {
    const client = connectTcp(port(), "127.0.0.1");
    client.on("error", () => {});
    client.resume().write("GET / HTTP/1.1\r\n\r\n");
    await once(client, "close");
    assert.ok((await refusals("handshake-failed")).length > 0);
  });
});

describe("identity on a unix socket", () => {
  // A unix socket has no addresses. Two workloads that call on it at the same time remain two callers: the SVID of each
  // decides what it may do and which author its versions name.
  it("is that of the connection", async () => {
    const [api, web] = [unixCaller(API), unixCaller(WEB)];
    const rounds = Array.from({ length: 50 }, (_, i) => i);
    const outcomes = await Promise.all(
      rounds.map(async (i): Promise<[Outcome, Outcome]> => {
        const put = { path: `shop/api/unix${i}`, data: { value: "x" } };
        return Promise.all([api.put(put), web.put(put)]);
      }),
    );
    for (const [own, other] of outcomes) {
      assert.equal(own.code, "OK");
      assert.equal(other.code, "PERMISSION_DENIED");
    }
    const { response } = await api.describe({ path: "shop/api/unix7" });
    assert.deepEqual(
      response.versions.map((each: { created_by: string }) => each.created_by),
      [API],
    );
    api.close();
    web.close();
  });

  it("uses a socket file with the mode from the configuration", () => {
    assert.equal(statSync(socket).mode & 0o777, 0o660);
  });
});

function unixCaller(id: string): Caller {
  const options = { "grpc.ssl_target_name_override": "localhost", "grpc.default_authority": "localhost" };
  return new Caller(`unix:${socket}`, Buffer.from(kit.ca.bundlePem), kit.issue({ id }), options);
}

describe("a socket file", () => {
  it("on which a server listens is not replaced", async () => {
    const address = { kind: "unix" as const, path: socket, mode: 0o600 };
    await assert.rejects(
      listen(address),
      (error) => error instanceof ListenRefused && /another server is listening on it/.test(error.message),
    );
    assert.ok(existsSync(socket));
  });

  it("that is an ordinary file is not replaced", async () => {
    const address = { kind: "unix" as const, path: join(kit.folder, "policy.yaml"), mode: 0o600 };
    await assert.rejects(listen(address), /is not a socket/);
    assert.ok(existsSync(address.path));
  });

  it("that a killed server left behind is replaced", async () => {
    const path = join(kit.folder, "dead.sock");
    const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", script]);
    assert.ok(statSync(path).isSocket());
    const listener = await listen({ kind: "unix", path, mode: 0o600 });
    listener.close();
  });
});

function listen(address: ListenAddress): Promise<Listener> {
  return Listener.listen(address, { accept: (accepted) => accepted.destroy(), failed: () => {} });
}
