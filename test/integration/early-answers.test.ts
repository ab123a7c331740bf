import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { status as Code } from "@grpc/grpc-js";
import { beginCall } from "../../bench/access.ts";
import { grpcMessage } from "../../bench/request.ts";
import { getRequest, putRequest } from "../../src/contract/messages.ts";
import { accessTo, answerOf, sessionOf } from "../support/bare-call.ts";
import { nextEvent } from "../support/next-event.ts";
import { PushedTimers } from "../support/pushed-timers.ts";
import { type DividedCall, answersInThread } from "../support/refused-calls.ts";
import { ServerKit, WEB } from "../support/server-kit.ts";
import { until } from "../support/until.ts";

const SECRETS = "/coffer.v1.Secrets";
const CHECK = "/grpc.health.v1.Health/Check";
const OTHER = "shop/api/b";

// A server that resets each stream directly after its answer lost up to 1.5 % of the answers to these calls on Node 20.
const ROUNDS = 500;

const get = grpcMessage(getRequest.encode(getRequest.of({ path: OTHER })));
const empty = grpcMessage(Buffer.alloc(0));
const data = [{ key: "k", value: Buffer.alloc(1000, "v") }];
const put = grpcMessage(putRequest.encode(putRequest.of({ path: OTHER, data })));

/** Calls that the server answers before their requests end: what it refuses them for, the call, and the answer. */
const REFUSED: readonly (readonly [what: string, call: DividedCall, answer: string])[] = [
  ["the content-type", call(`${SECRETS}/Get`, [get], { "content-type": "text/plain" }), `415 ${Code.INVALID_ARGUMENT}`],
  ["the HTTP method", call(`${SECRETS}/Put`, [put], { ":method": "PUT" }), `405 ${Code.INTERNAL}`],
  ["the encoding", call(CHECK, [empty], { "grpc-encoding": "gzip" }), `200 ${Code.UNIMPLEMENTED}`],
  ["the timeout", call(`${SECRETS}/Get`, [get], { "grpc-timeout": "never" }), `200 ${Code.INTERNAL}`],
  ["the path of HTTP", call("/no.such/Method", [empty]), `200 ${Code.UNIMPLEMENTED}`],
  ["the policy", call(`${SECRETS}/Put`, [put.subarray(0, 100), put.subarray(100)]), `200 ${Code.PERMISSION_DENIED}`],
];

function call(path: string, parts: readonly Buffer[], headers: DividedCall["headers"] = {}): DividedCall {
  return { path, headers, parts };
}

/** The calls whose answer is not `expected`: the number and the answer of each. */
function others(answers: readonly string[], expected: string): string[] {
  return answers.flatMap((answer, n) => (answer === expected ? [] : [`${n}: ${answer}`]));
}

// Node loses an answer if the server resets the stream before the answer is sent. The call then ends with an internal
// error instead of its status, and a client may repeat it or raise an alarm.
describe("a call that is refused before its request has ended", () => {
  let kit: ServerKit;
  before(async () => {
    kit = await ServerKit.start();
  });
  after(() => kit.stop());

  for (const [what, refused, expected] of REFUSED) {
    it(`because of ${what} gets its status, ${ROUNDS} times of ${ROUNDS}`, async () => {
      const calls = Array.from({ length: ROUNDS }, () => refused);
      assert.deepEqual(others(await answersInThread(accessTo(kit, WEB), calls), expected), []);
    });
  }

  // The control: the client of this test notices each answer that is missing.
  it("is reported by this test if it gets no answer", async () => {
    const { certPem: cert, keyPem: key } = kit.issue({ id: WEB, dns: ["localhost"] });
    const server = createSecureServer({ cert, key });
    let opened = 0;
    server.on("stream", (stream) => {
      opened += 1;
      stream.on("error", () => {});
      if (opened % 50 === 0) stream.close();
      else stream.resume().respond({ ":status": 200, "grpc-status": Code.PERMISSION_DENIED }, { endStream: true });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const access = { ...accessTo(kit, WEB), port: (server.address() as AddressInfo).port };
    const answers = await answersInThread(
      access,
      Array.from({ length: ROUNDS }, () => call(CHECK, [empty])),
    );
    assert.equal(others(answers, `200 ${Code.PERMISSION_DENIED}`).length, ROUNDS / 50);
    server.close();
  });
});

// Milliseconds: how long the server waits for the rest of a request that it has answered, and for a request.
const REST_MS = 1000;
const REQUEST_MS = 30_000;

// Calls in flight. One caller may have half of them.
const CALLS = 64;

// How many requests may wait for their rest, and how many streams a connection may have.
const MAX_RESTS = 1024;
const MAX_STREAMS = 256;

// The test advances all of these times. The server has one front, because each front has its own timers and maximum.
describe("the rest of a request that was refused", () => {
  let kit: ServerKit;
  let timers: PushedTimers;
  let sessions: ClientHttp2Session[];
  beforeEach(async () => {
    timers = new PushedTimers(REST_MS, false);
    kit = await ServerKit.start({ threads: 1, budgets: { bytes: 1 << 23, unread: CALLS, calls: CALLS } }, timers);
    sessions = [];
  });
  afterEach(async () => {
    for (const session of sessions) session.destroy();
    timers.runAlone();
    await kit.stop();
  });

  async function connected(): Promise<ClientHttp2Session> {
    const session = await sessionOf(kit, WEB);
    sessions.push(session);
    return session;
  }

  /** Begins a call that is refused because of its headers, and does not end its request. Resolves after the answer. */
  async function refused(session: ClientHttp2Session): Promise<ClientHttp2Stream> {
    const stream = beginCall(session, `${SECRETS}/Put`, { "content-type": "text/plain" }).resume();
    stream.write(put);
    const [headers] = await nextEvent(stream, "response");
    assert.equal(headers[":status"], 415);
    return stream;
  }

  /** Resolves when the server has processed what was sent, and the client what the server sent before. */
  const roundTrip = (session: ClientHttp2Session) => new Promise((resolve) => session.ping(resolve));

  it("is awaited for a second; then the server asks the client to stop", async () => {
    const session = await connected();
    const stream = await refused(session);
    await roundTrip(session);
    assert.equal(stream.closed, false);
    timers.push(REST_MS);
    await once(stream, "close");
    assert.equal(stream.rstCode, 0);
  });

  it("completes the call if it arrives in time", async () => {
    const session = await connected();
    const stream = await refused(session);
    stream.end(put);
    await once(stream, "close");
    assert.equal(stream.rstCode, 0);
  });

  it("is not read to its end if it is long", async () => {
    const session = await connected();
    const stream = await refused(session);
    stream.write(Buffer.alloc(200_000));
    await once(stream, "close");
    assert.equal(stream.rstCode, 0);
  });

  // Otherwise a caller could hold any number of streams with refused calls, which no budget limits.
  it("is awaited for a limited number of requests, the newest ones", async () => {
    const streams: ClientHttp2Stream[] = [];
    while (streams.length < MAX_RESTS + MAX_STREAMS) {
      const session = await connected();
      streams.push(...(await Promise.all(Array.from({ length: MAX_STREAMS }, () => refused(session)))));
    }
    await until("the oldest are reset", () => streams.filter(({ closed }) => closed).length === MAX_STREAMS);
    for (const session of sessions.slice(1)) await roundTrip(session);
    const closed = streams.map((stream) => stream.closed);
    assert.equal(closed.lastIndexOf(true), MAX_STREAMS - 1);
  });

  // grpc-js does not know of the server's answer. It would answer an invalid rest again, and the error would end the
  // process. It would pause the stream after a message, and the call would hold its budget until the connection ends.
  it("is not given to grpc-js, whose calls the server refuses when their time is over", async () => {
    const session = await connected();
    const tooLong = Buffer.of(0, 1, 0, 0, 0);
    for (const rest of [empty, empty, empty, tooLong, empty]) {
      const streams = Array.from({ length: CALLS / 4 }, () => beginCall(session, CHECK).resume());
      const answers = streams.map((stream) => nextEvent(stream, "response"));
      for (const stream of streams) stream.write(rest.subarray(0, 2));
      await roundTrip(session);
      timers.push(REQUEST_MS);
      for (const [headers] of await Promise.all(answers)) {
        assert.equal(Number(headers["grpc-status"]), Code.DEADLINE_EXCEEDED);
      }
      for (const stream of streams) stream.write(rest.subarray(2));
      await roundTrip(session);
      timers.push(REST_MS);
      await Promise.all(streams.map((stream) => stream.closed || once(stream, "close")));
    }
    assert.equal((await answerOf(beginCall(session, CHECK).end(empty))).code, Code.OK);
  });
});
