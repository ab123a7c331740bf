import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import type { ClientHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type TLSSocket, connect } from "node:tls";
import { BROKEN } from "../../bench/attack-frames.ts";
import { type Access, beginCall } from "../../bench/access.ts";
import { OPENING } from "../../bench/link.ts";
import { grpcMessage } from "../../bench/request.ts";
import { accessTo, sessionOf } from "../support/bare-call.ts";
import { watchHealth } from "../support/health-watch.ts";
import { nextEvent } from "../support/next-event.ts";
import { PushedTimers } from "../support/pushed-timers.ts";
import { ADMIN, ServerKit, WEB } from "../support/server-kit.ts";

// The tests advance keepalive and all other long times. A handshake and the last bytes of a socket use real time.
const PUSHED_MS = 20_000;
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
const HOUR_MS = 3_600_000;

let kit: ServerKit;
let timers: PushedTimers;
let socketsBefore: number;

beforeEach(async () => {
  timers = new PushedTimers(PUSHED_MS);
  kit = await ServerKit.start({}, timers);
  await connections();
  socketsBefore = sockets();
});

afterEach(() => kit.stop());

async function connections(): Promise<number> {
  const body = await (await fetch(`${kit.opsUrl}/metrics`)).text();
  return Number(/^coffer_connections (\d+)$/m.exec(body)![1]);
}

/** Resolves when the server counts this number of connections. If it never does, the test times out. */
async function counted(count: number): Promise<void> {
  while ((await connections()) !== count) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Resolves when the server counts no connection, and the process has no more sockets than before. */
async function noneLeft(): Promise<void> {
  await counted(0);
  while (sockets() > socketsBefore) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The number of this process's descriptors that are sockets, including those of clients. */
function sockets(): number {
  if (!existsSync("/proc/self/fd")) return 0;
  return readdirSync("/proc/self/fd").filter((fd) => targetOf(fd).startsWith("socket:")).length;
}

function targetOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "closed";
  }
}

/** Advances time for every connection's keepalive: until its PING, and until the end of the time for the answer. */
async function keepaliveOver(): Promise<void> {
  timers.push(KEEPALIVE_MS);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  timers.push(KEEPALIVE_TIMEOUT_MS);
}

/** A peer that sends only the first bytes of HTTP/2. It discards what it receives, and answers nothing. */
async function bareConnection(access: Access, through?: Socket): Promise<TLSSocket> {
  const { port, ca, cert, key } = access;
  const target = through === undefined ? { host: "127.0.0.1", port } : { socket: through };
  const socket = connect({ ...target, ca, cert, key, servername: "localhost", ALPNProtocols: ["h2"] });
  socket.on("error", () => {});
  await nextEvent(socket, "secureConnect");
  socket.resume().write(OPENING);
  return socket;
}

describe("no connection is left", () => {
  // The server has bytes of requests that no client will complete, and answers in progress.
  it("of clients that disconnect in the middle of Puts", async () => {
    const sessions: ClientHttp2Session[] = [];
    // One after the other: on a slow machine, a handshake that waits for others exceeds its time.
    while (sessions.length < 30) sessions.push(await sessionOf(kit, WEB));
    const half = grpcMessage(Buffer.alloc(128 * 1024)).subarray(0, 64 * 1024);
    for (const session of sessions) {
      const streams = Array.from({ length: 20 }, () => beginCall(session, "/coffer.v1.Secrets/Put"));
      for (const stream of streams) stream.write(half);
      await new Promise((resolve) => session.ping(resolve));
    }
    await counted(sessions.length);
    for (const session of sessions) session.destroy();
    await noneLeft();
  });

  // Each of these is a connection error (RFC 9113 6.1, 4.3 and 4.2). Node 20 stops reading after it, so it does not
  // detect that the client disconnects.
  it("of clients that violated HTTP/2 and disconnected", async () => {
    const access = accessTo(kit, WEB);
    const clients = await Promise.all(BROKEN.map(() => bareConnection(access)));
    await counted(BROKEN.length);
    for (const [i, socket] of clients.entries()) {
      socket.write(BROKEN[i]!);
      // Not by once() of node:events, which rejects if the server's end of the connection arrives as an error.
      await new Promise((resolve) => socket.once("data", resolve).once("close", resolve));
      socket.destroy();
    }
    await keepaliveOver();
    await noneLeft();
  });

  it("of clients that violated HTTP/2 and stay connected", async () => {
    const access = accessTo(kit, WEB);
    const clients = await Promise.all(BROKEN.map(() => bareConnection(access)));
    await counted(BROKEN.length);
    for (const [i, socket] of clients.entries()) socket.write(BROKEN[i]!);
    await keepaliveOver();
    await counted(0);
    for (const socket of clients) socket.destroy();
    await noneLeft();
  });

  // A peer that has lost its power sends nothing. For the server, a TCP connection that stays open and is never read is
  // the same: no PING is answered.
  it("of peers that lost their power during calls", async () => {
    const access = accessTo(kit, ADMIN);
    const clients = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const socket = await bareConnection(access);
        await nextEvent(socket, "data");
        socket.pause();
        return socket;
      }),
    );
    const alive = await sessionOf(kit, ADMIN);
    await counted(clients.length + 1);
    timers.push(KEEPALIVE_MS);
    await nextEvent(alive, "ping");
    await answered(alive);
    timers.push(KEEPALIVE_TIMEOUT_MS);
    // The server keeps the connection that answers PINGs.
    await counted(1);
    assert.equal(alive.closed, false);
    alive.destroy();
    await counted(0);
    for (const socket of clients) socket.destroy();
    await noneLeft();
  });

  // The peer sends SETTINGS and then reads nothing: the kernel's buffers fill, and then the server's.
  it("of a peer that requests answers and does not read them", async () => {
    const admin = kit.caller(ADMIN);
    assert.equal((await admin.put({ path: "shop/api/large", data: { k: "v".repeat(1_000_000) } })).code, "OK");
    admin.close();
    const session = await sessionOf(kit, ADMIN);
    const request = Buffer.concat([Buffer.of(0, 0, 0, 0, 16, 10, 14), Buffer.from("shop/api/large")]);
    session.setLocalWindowSize(2 ** 31 - 1);
    for (let i = 0; i < 50; i++) beginCall(session, "/coffer.v1.Secrets/Get").end(request);
    await new Promise((resolve) => session.ping(resolve));
    (session.socket as unknown as { _handle: { readStop(): void } })._handle?.readStop();
    await keepaliveOver();
    await counted(0);
    session.destroy();
    await noneLeft();
  });
});

// The verification of a peer expires with its SVID, but a timer of an hour does not notice that the machine was
// suspended for 20 hours.
describe("after a jump of the clock beyond the SVID's expiry", () => {
  const short = () => kit.issue({ id: ADMIN, notAfter: timers.clock() + HOUR_MS });

  it("the first call is answered SVID_EXPIRED, the connection ends, and the next works with a newer SVID", async () => {
    const caller = kit.callerWith(short());
    assert.equal((await caller.put({ path: "shop/api/clock", data: { k: "v" } })).code, "OK");
    await counted(1);
    timers.jump(20 * HOUR_MS);
    const { code, reason } = await caller.get({ path: "shop/api/clock" });
    assert.deepEqual([code, reason], ["UNAUTHENTICATED", "SVID_EXPIRED"]);
    await counted(0);
    caller.close();
    const newer = kit.callerWith(short());
    assert.equal((await newer.get({ path: "shop/api/clock" })).code, "OK");
    newer.close();
  });

  it("the first call is refused and the connection ends, also with an open stream", async () => {
    const { certPem: cert, keyPem: key } = short();
    const session = await sessionOf(kit, ADMIN, { cert, key });
    const watch = watchHealth(session);
    await nextEvent(watch, "data");
    timers.jump(20 * HOUR_MS);
    const stream = beginCall(session, "/coffer.v1.Secrets/List");
    const [headers] = await nextEvent(stream.end(Buffer.alloc(5)), "response");
    assert.equal(headers["grpc-status"], "16");
    await once(session, "close");
    await counted(0);
  });

  it("a connection without a call ends at the next check of keepalive", async () => {
    const { certPem: cert, keyPem: key } = short();
    const session = await sessionOf(kit, ADMIN, { cert, key });
    const other = await sessionOf(kit, ADMIN);
    const watch = watchHealth(session);
    await nextEvent(watch, "data");
    timers.jump(20 * HOUR_MS);
    timers.push(KEEPALIVE_MS);
    await once(session, "close");
    await counted(1);
    // An SVID of 30 days has not expired.
    await answered(other);
    other.destroy();
  });
});

/** Makes a call. When it is answered, the server has read everything that the peer sent before. */
async function answered(session: ClientHttp2Session): Promise<void> {
  const stream = beginCall(session, "/grpc.health.v1.Health/Check");
  stream.resume().end(Buffer.alloc(5));
  await once(stream, "close");
}
