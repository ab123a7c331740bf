import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { type Socket, connect as connectTcp } from "node:net";
import { after, before, describe, it } from "node:test";
import { type TLSSocket, connect } from "node:tls";
import fc from "fast-check";
import { beginCall } from "../../bench/access.ts";
import { grpcMessage } from "../../bench/request.ts";
import { getRequest } from "../../src/contract/messages.ts";
import { accessTo } from "../support/bare-call.ts";
import { watchHealth } from "../support/health-watch.ts";
import { PushedTimers } from "../support/pushed-timers.ts";
import { ADMIN, ServerKit } from "../support/server-kit.ts";
import { bytesField } from "../support/wire-field.ts";

const LARGE = "shop/api/large";
const RUNS = process.env["COFFER_TEST_LONG"] === undefined ? 40 : 2000;

// The time that a shutdown gives calls in progress. The test advances it, and all other long times.
const DRAIN_MS = 10_000;

let kit: ServerKit;
let timers: PushedTimers;

before(async () => {
  timers = new PushedTimers(DRAIN_MS);
  kit = await ServerKit.start({}, timers);
  const admin = kit.caller(ADMIN);
  assert.equal((await admin.put({ path: LARGE, data: { k: "v".repeat(1_000_000) } })).code, "OK");
  admin.close();
});

after(() => kit.stop());

const get = grpcMessage(getRequest.encode(getRequest.of({ path: LARGE, version: 0 })));
const put = grpcMessage(Buffer.concat([bytesField(1, "shop/api/put"), Buffer.alloc(300_000)]));

/** The calls that a client can have in progress. */
const CALLS = {
  get: (session: ClientHttp2Session) => beginCall(session, "/coffer.v1.Secrets/Get").end(get),
  "unfinished put": (session: ClientHttp2Session) => {
    const stream = beginCall(session, "/coffer.v1.Secrets/Put");
    stream.write(put.subarray(0, -1));
    return stream;
  },
  "no message": (session: ClientHttp2Session) => beginCall(session, "/coffer.v1.Secrets/Put"),
  watch: watchHealth,
} as const;

/** A client with calls in progress. */
interface Client {
  readonly raw: Socket;
  readonly socket: TLSSocket;
  readonly session: ClientHttp2Session;
  readonly streams: readonly ClientHttp2Stream[];
}

/** The ways in which a session can end. `code` is an error code of RFC 9113 7. */
const ENDS = {
  fin: ({ socket }: Client) => void socket.end(),
  // A TCP RST, without close_notify.
  cut: ({ raw }: Client) => void raw.resetAndDestroy(),
  destroy: ({ session }: Client) => session.destroy(),
  goaway: ({ session }: Client, code: number) => session.goaway(code),
  "resets, then fin": ({ socket, streams }: Client, code: number) => {
    for (const stream of streams) stream.close(code);
    socket.end();
  },
  "server stops": () => void kit.server.stop(),
} as const;

const scenario = fc.record({
  calls: fc.array(fc.constantFrom(...(Object.keys(CALLS) as (keyof typeof CALLS)[])), { maxLength: 12 }),
  end: fc.constantFrom(...(Object.keys(ENDS) as (keyof typeof ENDS)[])),
  code: fc.nat(13),
  turns: fc.nat(6),
  window: fc.constantFrom(0, 1, 16_384, 65_535, 4_000_000),
  reads: fc.boolean(),
});

/** A client whose streams each have a window of this number of bytes. */
async function connected(window: number): Promise<Omit<Client, "streams">> {
  const { port, ca, cert, key } = accessTo(kit, ADMIN);
  const raw = connectTcp(port, "127.0.0.1");
  const socket = connect({ socket: raw, ca, cert, key, servername: "localhost", ALPNProtocols: ["h2"] });
  const session = connectHttp2("https://localhost", {
    createConnection: () => socket.on("error", () => {}),
    settings: { initialWindowSize: window },
  });
  await once(
    session.on("error", () => {}),
    "remoteSettings",
  );
  return { raw, socket, session };
}

/**
 * Waits for this number of turns of the event loop. Server and client are in this process, so each turn is a step of
 * both.
 */
async function pass(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Completes a shutdown that waits for calls, and starts the server again. */
async function restarted(): Promise<void> {
  const stopped = kit.server.stop();
  await pass(20);
  timers.push(DRAIN_MS);
  await stopped;
  await kit.restart(timers);
}

async function connections(): Promise<number> {
  const body = await (await fetch(`${kit.opsUrl}/metrics`)).text();
  return Number(/^coffer_connections (\d+)$/m.exec(body)![1]);
}

// node:http2 checks its own states with assertions (ERR_INTERNAL_ASSERTION). An assertion that fails in a callback is
// an uncaught error, which ends the process. node:http2 is not made for a socket that it has not created, so the test
// tries each way of ending at each moment.
describe("for every way in which a session ends during calls", () => {
  it("no error is uncaught, no connection is left, and the next caller is served", async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown) => uncaught.push(error);
    process.on("uncaughtException", note).on("unhandledRejection", note);
    const run = fc.asyncProperty(scenario, async ({ calls, end, code, turns, window, reads }) => {
      const client = await connected(window);
      const { session } = client;
      const streams = calls.map((name) => CALLS[name](session));
      if (reads) for (const stream of streams) stream.resume();
      await pass(turns);
      ENDS[end]({ ...client, streams }, code);
      await pass(turns);
      if (end === "server stops") await restarted();
      session.destroy();
      while ((await connections()) > 0) await pass(1);
      assert.deepEqual(uncaught, []);
    });
    await fc.assert(run, { numRuns: RUNS, endOnFailure: true });
    process.off("uncaughtException", note).off("unhandledRejection", note);
    const caller = kit.caller(ADMIN);
    assert.equal((await caller.get({ path: LARGE })).code, "OK");
    caller.close();
  });
});
