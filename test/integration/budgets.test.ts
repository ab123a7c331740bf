import assert from "node:assert/strict";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { afterEach, beforeEach, describe, it } from "node:test";
import { status as Code } from "@grpc/grpc-js";
import { beginCall } from "../../bench/access.ts";
import { grpcMessage } from "../../bench/request.ts";
import { getRequest } from "../../src/contract/messages.ts";
import { answerOf, sessionOf } from "../support/bare-call.ts";
import { watchHealth } from "../support/health-watch.ts";
import { nextEvent } from "../support/next-event.ts";
import { PushedTimers } from "../support/pushed-timers.ts";
import { ADMIN, API, ServerKit } from "../support/server-kit.ts";
import { bytesField } from "../support/wire-field.ts";

const MIB = 1024 * 1024;
const BUDGETS = { bytes: 8 * MIB, unread: 64, calls: 64 };

// Delays of at least PUSHED_MS, such as the two below, end when the test advances the time. Handshakes use real time.
const PUSHED_MS = 20_000;
const REQUEST_MS = 30_000;
const KEEPALIVE_MS = 60_000;

const PUT = "/coffer.v1.Secrets/Put";
const GET = "/coffer.v1.Secrets/Get";
const LARGE = "shop/api/large";

let kit: ServerKit;
let timers: PushedTimers;
let greedy: ClientHttp2Session;

beforeEach(async () => {
  timers = new PushedTimers(PUSHED_MS);
  kit = await ServerKit.start({ budgets: BUDGETS }, timers);
  const admin = kit.caller(ADMIN);
  assert.equal((await admin.put({ path: LARGE, data: { k: "v".repeat(MIB - 100) } })).code, "OK");
  admin.close();
  greedy = await sessionOf(kit, API, { settings: { initialWindowSize: 0 } });
  greedy.setLocalWindowSize(2 ** 31 - 1);
});

afterEach(async () => {
  greedy.destroy();
  await kit.stop();
});

/** Starts a Put of almost 2 MiB and does not complete it. */
function unfinishedPut(): ClientHttp2Stream {
  const message = grpcMessage(Buffer.concat([bytesField(1, "shop/api/put"), Buffer.alloc(2 * MIB - 1000)]));
  const stream = beginCall(greedy, PUT);
  stream.write(message.subarray(0, -1));
  return stream;
}

function get(session: ClientHttp2Session): ClientHttp2Stream {
  return beginCall(session, GET).end(grpcMessage(getRequest.encode(getRequest.of({ path: LARGE, version: 0 }))));
}

/** Resolves when the server has read all bytes that were sent before. */
function processed(session: ClientHttp2Session): Promise<unknown> {
  return new Promise((resolve) => session.ping(resolve));
}

async function othersAreServed(): Promise<void> {
  const admin = kit.caller(ADMIN);
  assert.equal((await admin.get({ path: LARGE })).code, "OK");
  assert.equal((await admin.put({ path: "shop/api/other", data: { k: "v".repeat(MIB / 2) } })).code, "OK");
  admin.close();
}

// One SPIFFE ID may use half of the 8 MiB, which is enough for two Puts of almost 2 MiB. The third waits, and fails
// when the time for a request has passed.
it("unfinished Puts above the budget wait, and are then refused with a retry delay", async () => {
  const puts = [unfinishedPut(), unfinishedPut(), unfinishedPut()];
  const answers = puts.map(answerOf);
  await processed(greedy);
  await othersAreServed();
  timers.push(REQUEST_MS);
  const [first, second, third] = await Promise.all(answers);
  for (const { code, reason } of [first!, second!]) {
    assert.deepEqual([code, reason], [Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"]);
  }
  assert.deepEqual([third!.code, third!.reason], [Code.RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED"]);
  assert.ok(third!.retryDelay! > 0);
});

it("a Put that waits continues when other calls of its caller end", async () => {
  const [first, , third] = [unfinishedPut(), unfinishedPut(), unfinishedPut()];
  await processed(greedy);
  first.close();
  // This is the last byte. It completes an invalid message: the error shows that the server has read it.
  third.end(Buffer.of(0));
  const { code } = await answerOf(third);
  assert.equal(code, Code.INVALID_ARGUMENT);
});

it("calls above the budget are refused immediately", async () => {
  const calls = Array.from({ length: BUDGETS.calls }, () => watchHealth(greedy));
  const refused = calls.slice(BUDGETS.calls / 2).map(answerOf);
  for (const { code, reason, retryDelay } of await Promise.all(refused)) {
    assert.deepEqual([code, reason, retryDelay], [Code.RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED", 1000]);
  }
  for (const call of calls.slice(0, BUDGETS.calls / 2)) assert.equal(call.closed, false);
  await othersAreServed();
});

describe("unread answers", () => {
  // All Gets arrive in one turn of the event loop. Four answers of 1 MiB fit into the share of the caller, and the
  // server sends one more before it detects that the share is used up.
  it("delay the next answers of the same caller, and of no other", async () => {
    const gets = Array.from({ length: 20 }, () => get(greedy));
    let answered = 0;
    for (const each of gets) each.on("response", () => (answered += 1));
    await processed(greedy);
    await othersAreServed();
    await processed(greedy);
    assert.ok(answered >= 3 && answered <= 5, `${answered} answers of 1 MiB in a budget of 4 MiB`);
    timers.push(REQUEST_MS);
    const ended = await Promise.all(gets.slice(answered).map(answerOf));
    for (const { code, reason } of ended) {
      assert.deepEqual([code, reason], [Code.RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED"]);
    }
  });

  it("let the next answers continue when they are read", async () => {
    const gets = Array.from({ length: 20 }, () => get(greedy));
    await processed(greedy);
    greedy.settings({ initialWindowSize: 4 * MIB });
    const answers = await Promise.all(gets.map(answerOf));
    for (const { code, body } of answers) assert.deepEqual([code, body.length > MIB - 100], [Code.OK, true]);
  });

  it("are cancelled 90 seconds after their call", async () => {
    const read = await sessionOf(kit, API);
    const [unread, watch] = [get(greedy), watchHealth(read)];
    await Promise.all([nextEvent(unread, "response"), nextEvent(watch, "data")]);
    await keptAlive([greedy, read], REQUEST_MS);
    await keptAlive([greedy, read], KEEPALIVE_MS);
    const { code, resetCode } = await answerOf(unread);
    assert.deepEqual([code, resetCode], [undefined, 8]); // CANCEL
    // A stream without a new message has no unread bytes.
    for (let minute = 0; minute < 3; minute++) await keptAlive([greedy, read], KEEPALIVE_MS);
    assert.equal(watch.closed, false);
    read.destroy();
  });
});

/** Advances time, and waits until every peer has answered the PINGs that are due. */
async function keptAlive(sessions: readonly ClientHttp2Session[], ms: number): Promise<void> {
  timers.push(ms);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  // The client sends its answer to a PING of the server before its own second PING. The answer to the second PING
  // therefore shows that the server has read both.
  for (const session of [...sessions, ...sessions]) await processed(session);
}
