import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { InternalOptions } from "../../src/client/client-options.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import type { SecretWatch } from "../../src/client/secret-watch.ts";
import * as messages from "../../src/contract/messages.ts";
import { systemClock } from "../../src/domain/timers.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { PushedTimers } from "../support/pushed-timers.ts";
import { RotatingIdentity } from "../support/rotating-identity.ts";
import { type ArrivedCall, ScriptedServer } from "../support/scripted-server.ts";
import { live, shownEvent, synced, take } from "../support/scripted-watches.ts";

const SERVER_ID = "spiffe://example.org/coffer";
const UNAVAILABLE = 14;
const MESSAGE_BYTES = 100_000;
/** Longer than any test. */
const SILENCE_MS = 3_600_000;

const ca = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock);

/** The stream of a watch over TLS and HTTP/2, at a server whose bytes the test decides. */
describe("the stream of a watch", () => {
  let servers: ScriptedServer[];
  let identity: RotatingIdentity;
  let clients: CofferClient[];
  let client: CofferClient;
  let watch: SecretWatch;
  beforeEach(async () => {
    identity = new RotatingIdentity(ca);
    identity.rotate();
    servers = [await ScriptedServer.start(ca.issue({ id: SERVER_ID }))];
    clients = [];
    client = open();
    watch = client.watch({ paths: ["a"] });
  });
  afterEach(async () => {
    await Promise.all(clients.map((each) => each.close()));
    identity.current.close();
    await Promise.all(servers.map((server) => server.stop()));
  });

  function open(options: Partial<InternalOptions> = {}): CofferClient {
    const address = servers.map(({ address }) => address);
    const opened = new CofferClient({
      ...{ address, serverId: SERVER_ID, identity: identity.source, timeoutMs: PATIENCE_MS },
      ...{ watchSilenceMs: SILENCE_MS, ...options },
    });
    clients.push(opened);
    return opened;
  }
  const server = () => servers[0] as ScriptedServer;
  const request = (call: ArrivedCall) => call.request(messages.watchRequest);

  /** The next events, without the failures of connections. */
  async function events(count: number, from = watch): Promise<string[]> {
    const texts: string[] = [];
    for await (const event of { [Symbol.asyncIterator]: () => ({ next: () => from.next() }) }) {
      if (event.kind !== "disconnected") texts.push(shownEvent(event));
      if (texts.length === count) break;
    }
    return texts;
  }

  it("delivers each message when it has arrived, and not at the end", async () => {
    const call = await server().call();
    assert.equal((await request(call)).fromRevision, 0);
    call.send(messages.watchResponse, live("a", 1, 1));
    assert.deepEqual(await take(watch, 1), ["a v1 live k=a@1"]);
    call.send(messages.watchResponse, synced(1));
    assert.deepEqual(await take(watch, 1), ["synced 1/1"]);
  });

  it("continues after a broken connection, an error, an end without an error, and bytes that are not a message", async () => {
    const endings: ((call: ArrivedCall) => void)[] = [
      (call) => call.hangUp(),
      (call) => call.finish(UNAVAILABLE, "the server says nothing more"),
      (call) => call.finish(0, ""),
      (call) => call.send(messages.watchRevoked, { path: "no WatchResponse" }),
    ];
    for (const [index, end] of endings.entries()) {
      const call = await server().call();
      assert.equal((await request(call)).fromRevision, index);
      call.send(messages.watchResponse, synced(index + 1));
      assert.deepEqual(await events(1), ["synced 1/1"]);
      end(call);
    }
    assert.equal((await request(await server().call())).fromRevision, endings.length);
  });

  it("continues on another connection after a GOAWAY, which lets the old one close", async () => {
    const first = await server().call();
    first.send(messages.watchResponse, synced(1));
    await events(1);
    await first.goAway();
    first.finish(UNAVAILABLE, "the connection has reached its age");
    const second = await server().call();
    assert.notEqual(second.socket, first.socket);
    assert.equal((await request(second)).fromRevision, 1);
    await first.closed();
  });

  // The server would end the stream when the old SVID expires, and until then authorize it by the old one.
  it("continues with the new SVID as soon as there is one, and nothing fails", async () => {
    const first = await server().call();
    first.send(messages.watchResponse, synced(1));
    assert.deepEqual(await take(watch, 1), ["synced 1/1"]);
    const { certificate } = identity.rotate();
    const second = await server().call();
    assert.deepEqual(second.certificate, certificate);
    assert.equal((await request(second)).fromRevision, 1);
    second.send(messages.watchResponse, synced(2));
    await first.closed();
    assert.deepEqual(await take(watch, 1), ["synced 1/1"]);
  });

  // A host that is frozen does not close its connections.
  it("continues on another connection after a silence, at the next address if there is one", async () => {
    servers.push(await ScriptedServer.start(ca.issue({ id: SERVER_ID })));
    const timers = new PushedTimers(SILENCE_MS);
    const own = open({ timers });
    const patient = own.watch({ paths: ["b"] });
    const silent = await server().call();
    // The first call may be that of the other watch.
    const mine = (await request(silent)).paths[0] === "b" ? silent : await server().call();
    timers.push(SILENCE_MS);
    const next = await (servers[1] as ScriptedServer).call();
    assert.deepEqual((await request(next)).paths, ["b"]);
    await mine.closed();
    next.send(messages.watchResponse, synced(1));
    assert.deepEqual(await events(1, patient), ["synced 1/1"]);
  });

  // Sixteen events wait for the consumer, as many messages in grpc-js, and the rest at the server.
  it("is not read further while its consumer does not read", async () => {
    const call = await server().call();
    const filler = [{ key: "b", value: Buffer.alloc(MESSAGE_BYTES) }];
    const sending = (async () => {
      for (let i = 1; i <= 100; i++) {
        await call.hasSpace();
        call.send(messages.watchResponse, live("a", i, i, { binaryData: filler }));
      }
    })();
    // Each answer on the connection lets more of the stream pass, until the client reads no more.
    for (let quiet = 0, sent = 0; quiet < 10; quiet = call.socket.bytesWritten - sent < 5000 ? quiet + 1 : 0) {
      sent = call.socket.bytesWritten;
      const health = client.health();
      (await server().call()).answer();
      assert.equal(await health, "SERVING", "other calls on the connection continue");
    }
    assert.ok(call.socket.bytesWritten < 36 * MESSAGE_BYTES, `${call.socket.bytesWritten} bytes were sent`);
    for (let version = 1; version <= 100; version++) {
      const { value } = await watch.next();
      assert.ok(value?.kind === "secret" && value.version === version);
    }
    await sending;
    assert.ok(call.socket.bytesWritten > 100 * MESSAGE_BYTES, "the control: all of it was sent");
  });

  it("ends with its consumer, and with its client", async () => {
    const first = await server().call();
    await watch.return();
    await first.closed();
    const other = client.watch({ paths: ["a"] });
    const second = await server().call();
    const next = other.next();
    await Promise.all([client.close(), second.closed(), assert.rejects(next, { message: "the client is closed" })]);
    await assert.rejects(client.watch({ paths: ["a"] }).next(), { code: "CANCELLED", message: "the client is closed" });
    assert.equal(server().waiting, 0);
  });

  it("waits for the first SVID", async () => {
    const late = new RotatingIdentity(ca);
    const own = open({ identity: late.source });
    const waiting = own.watch({ paths: ["late"] });
    assert.deepEqual(await take(waiting, 1), ["disconnected no-identity"]);
    late.rotate();
    const calls = [await server().call(), await server().call()];
    const paths = await Promise.all(calls.map(async (call) => (await request(call)).paths[0]));
    assert.deepEqual(paths.sort(), ["a", "late"]);
    await own.close();
    late.current.close();
  });
});
