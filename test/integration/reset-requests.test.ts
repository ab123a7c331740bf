import assert from "node:assert/strict";
import { constants } from "node:http2";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type TLSSocket, connect } from "node:tls";
import { OPENING } from "../../bench/link.ts";
import { FrameFlag, FrameSplitter, FrameType, frame } from "../../bench/frame.ts";
import { grpcMessage, requestHeaders } from "../../bench/request.ts";
import { putRequest } from "../../src/contract/messages.ts";
import { accessTo, sessionOf } from "../support/bare-call.ts";
import { watchHealth } from "../support/health-watch.ts";
import { nextEvent } from "../support/next-event.ts";
import { ADMIN, ServerKit } from "../support/server-kit.ts";
import { until } from "../support/until.ts";
import { bytesField } from "../support/wire-field.ts";

const REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const GET = "/coffer.v1.Secrets/Get";
const WATCH = "/coffer.v1.Secrets/Watch";
const MIB = 1024 * 1024;
const BUDGETS = { bytes: 8 * MIB, unread: 64, calls: 64 };

/** The preface, and SETTINGS with an initial window of 0 (RFC 9113 6.5.2). */
const READS_NOTHING = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(FrameType.settings, FrameFlag.none, 0, Buffer.of(0, 4, 0, 0, 0, 0)),
]);

/** The number of turns of the event loop in which the server handles a frame. */
const TURNS = 3;

/** A message that is no protobuf. */
const INVALID = grpcMessage(Buffer.of(0xff, 0xff));

let kit: ServerKit;

beforeEach(async () => {
  kit = await ServerKit.start({ budgets: BUDGETS });
});

afterEach(() => kit.stop());

/** A connection whose frames the test writes itself: a client of node:http2 ends a stream before it resets it. */
class FrameClient {
  readonly #socket: TLSSocket;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
  }

  /** `opening`: its first frames. */
  static async open(opening = OPENING): Promise<FrameClient> {
    const socket = connect({
      ...accessTo(kit, ADMIN),
      host: "127.0.0.1",
      servername: "localhost",
      ALPNProtocols: ["h2"],
    });
    await nextEvent(socket, "secureConnect");
    socket.write(Buffer.concat([opening, frame(FrameType.settings, FrameFlag.ack, 0, Buffer.alloc(0))]));
    return new FrameClient(socket);
  }

  write(...frames: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(frames));
  }

  /**
   * Resolves when the server has processed all frames that were written before. It answers a PING before it handles the events
   * of the frames that arrived with it, and a front in another thread can be preempted in between. It reads the next PING in
   * a later turn.
   */
  async processed(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await this.#roundTrip();
  }

  async #roundTrip(): Promise<void> {
    const splitter = new FrameSplitter();
    this.write(frame(FrameType.ping, FrameFlag.none, 0, Buffer.alloc(8)));
    let isAnswered = false;
    while (!isAnswered) {
      const [chunk] = (await nextEvent(this.#socket, "data")) as [Buffer];
      splitter.push(chunk, ({ type, flags }) => {
        if (type === FrameType.ping && (flags & FrameFlag.ack) !== 0) isAnswered = true;
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

function headers(stream: number, path = "/coffer.v1.Secrets/Put"): Buffer {
  return frame(FrameType.headers, FrameFlag.endHeaders, stream, requestHeaders("localhost", path));
}

function data(stream: number, bytes: Buffer, flags: number = FrameFlag.none): Buffer {
  return frame(FrameType.data, flags, stream, bytes);
}

function reset(stream: number, code: number): Buffer {
  return frame(FrameType.resetStream, FrameFlag.none, stream, Buffer.of(0, 0, 0, code));
}

function put(path: string, size: number): Buffer {
  const values = [{ key: "k", value: Buffer.alloc(size, "a") }];
  return grpcMessage(
    putRequest.encode(putRequest.of({ path, data: values, binaryData: [], expectedVersion: undefined })),
  );
}

/** Makes all calls that one caller may have, on another connection. */
async function allCallsFit(): Promise<void> {
  const session = await sessionOf(kit, ADMIN);
  const calls = Array.from({ length: BUDGETS.calls / 2 }, () => watchHealth(session));
  const responses = await Promise.all(calls.map((call) => nextEvent(call, "response")));
  for (const [response] of responses) assert.equal(response["grpc-status"], undefined, "a call was refused");
  session.destroy();
}

// A client cancels a call by RST_STREAM. After one with NO_ERROR, node:http2 emits "end" as for a complete request, and
// keeps the stream until everything that arrived has been read.
describe("a request that is reset with", () => {
  for (const name of ["NGHTTP2_NO_ERROR", "NGHTTP2_CANCEL"] as const) {
    const code = constants[name];

    it(`${name} is not applied, although its message is complete`, async () => {
      const client = await FrameClient.open();
      client.write(headers(1), data(1, put("reset/later", 10)), headers(3), data(3, put("reset/ended", 10)));
      await client.processed();
      client.write(reset(1, code), data(3, Buffer.alloc(0), FrameFlag.endStream));
      const atOnce = put("reset/at-once", 10);
      client.write(headers(5), data(5, atOnce), reset(5, code));
      await client.processed();
      client.close();
      const caller = kit.caller(ADMIN);
      const codeOf = async (path: string) => (await caller.get({ path })).code;
      while ((await codeOf("reset/ended")) !== "OK");
      assert.deepEqual([await codeOf("reset/later"), await codeOf("reset/at-once")], ["NOT_FOUND", "NOT_FOUND"]);
      caller.close();
    });

    // The first Put has most of what one caller may hold. The others wait, with bytes that the server has not read.
    it(`${name} while it waits for its budget holds nothing any longer`, async () => {
      const client = await FrameClient.open();
      const start = put("reset/waiting", 3 * MIB).subarray(0, 2000);
      const streams = Array.from({ length: BUDGETS.calls / 4 }, (_, n) => 2 * n + 1);
      for (const stream of streams) client.write(headers(stream), data(stream, start));
      await client.processed();
      for (const stream of streams) client.write(data(stream, start));
      await client.processed();
      for (const stream of streams) client.write(reset(stream, code));
      await client.processed();
      await allCallsFit();
      client.close();
    });

    // grpc-js pauses the stream while the client does not read the answers.
    it(`${name} while grpc-js answers it holds nothing any longer`, async () => {
      const client = await FrameClient.open(READS_NOTHING);
      const streams = Array.from({ length: BUDGETS.calls / 4 }, (_, n) => 2 * n + 1);
      const questions = Buffer.concat(
        Array.from({ length: 20 }, () => grpcMessage(bytesField(4, "coffer.v1.Secrets"))),
      );
      for (const stream of streams) client.write(headers(stream, REFLECT), data(stream, questions));
      await client.processed();
      await client.processed();
      for (const stream of streams) client.write(data(stream, questions));
      await client.processed();
      for (const stream of streams) client.write(reset(stream, code));
      await client.processed();
      await allCallsFit();
      client.close();
    });

    // grpc-js ends the answer of such a call with an error, before the request has ended. node:http2 then reports no reset
    // ("aborted"), and before Node 26 it waits for the answer to be sent. More questions make grpc-js pause the stream.
    for (const [unread, more] of [
      ["nothing", 0],
      ["a question", 1],
    ] as const) {
      it(`${name} after grpc-js has refused it and left ${unread} unread holds nothing any longer`, async () => {
        const client = await FrameClient.open(READS_NOTHING);
        const streams = Array.from({ length: BUDGETS.calls / 4 }, (_, n) => 2 * n + 1);
        const question = grpcMessage(bytesField(4, "coffer.v1.Secrets"));
        for (const stream of streams) client.write(headers(stream, REFLECT), data(stream, question));
        await client.processed();
        for (const stream of streams) client.write(data(stream, INVALID));
        await client.processed();
        for (const stream of streams) client.write(data(stream, question.subarray(0, more * question.length)));
        await client.processed();
        for (const stream of streams) client.write(reset(stream, code));
        await client.processed();
        await allCallsFit();
        client.close();
      });
    }

    it(`${name} while its answer is unread holds nothing any longer`, async () => {
      const caller = kit.caller(ADMIN);
      assert.equal((await caller.put({ path: "reset/read", data: { k: "1" } })).code, "OK");
      caller.close();
      const client = await FrameClient.open(READS_NOTHING);
      const streams = Array.from({ length: BUDGETS.calls / 4 }, (_, n) => 2 * n + 1);
      const get = grpcMessage(bytesField(1, "reset/read"));
      for (const stream of streams) client.write(headers(stream, GET), data(stream, get, FrameFlag.endStream));
      await client.processed();
      await client.processed();
      for (const stream of streams) client.write(reset(stream, code));
      await client.processed();
      await allCallsFit();
      client.close();
    });

    // A watcher that does not read keeps unsent events, for which node:http2 would keep the stream open.
    for (const [reader, opening] of [
      ["reads", OPENING],
      ["reads nothing", READS_NOTHING],
    ] as const) {
      it(`${name} while its caller watches and ${reader} is no longer counted as a watcher`, async () => {
        const caller = kit.caller(ADMIN);
        assert.equal((await caller.put({ path: "reset/watched", data: { k: "1" } })).code, "OK");
        const watchers = async () => {
          const { response } = await caller.describe({ path: "reset/watched" });
          return response.convergence?.watchers ?? 0;
        };
        const client = await FrameClient.open(opening);
        const request = grpcMessage(bytesField(2, "reset/"));
        client.write(headers(1, WATCH), data(1, request, FrameFlag.endStream));
        await until("the stream is counted", async () => (await watchers()) === 1);
        client.write(reset(1, code));
        await until("the stream is no longer counted", async () => (await watchers()) === 0);
        await allCallsFit();
        client.close();
        caller.close();
      });
    }
  }
});
