import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingHttpHeaders, type ServerHttp2Stream, connect, constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { it } from "node:test";
import { grpcMessage } from "../../../bench/request.ts";
import type { Connection } from "../../../src/admission/connection.ts";
import { putRequest, putResponse } from "../../../src/contract/messages.ts";
import { processTimers } from "../../../src/domain/timers.ts";
import { Budgets } from "../../../src/grpc/budget.ts";
import { BudgetMemory } from "../../../src/grpc/budget-memory.ts";
import { IncomingCalls } from "../../../src/grpc/incoming-calls.ts";
import type { Session } from "../../../src/grpc/session.ts";
import { unary } from "../../../src/grpc/unary.ts";
import { ANY_CALLER } from "../../support/any-caller.ts";
import { nextEvent } from "../../support/next-event.ts";
import { until } from "../../support/until.ts";

const PATH = "/coffer.v1.Secrets/Put";
const MESSAGE = grpcMessage(putRequest.encode(putRequest.of({ path: "a", data: [], binaryData: [] })));

// A caller alone may have half of them.
const CALLS = 4;

/** A server whose Puts are answered when the test says so. */
class HeldPuts {
  /** Each answers one Put. */
  readonly held: (() => void)[] = [];
  /** The number of streams that are closed. */
  closed = 0;
  readonly #calls = new IncomingCalls({
    routeOf: () =>
      unary(
        { path: PATH, number: 0 },
        {
          ...{ request: putRequest, response: putResponse, ...ANY_CALLER, hasLargeAnswer: false },
          handle: () =>
            new Promise((resolve) => this.held.push(() => resolve(putResponse.of({ path: "a", version: 1 })))),
        },
      ),
    accepts: () => true,
    timers: processTimers,
    onHandled: () => {},
    answerOpen: () => assert.fail("no open method is called"),
  });
  readonly #budget = new Budgets({
    limits: { bytes: 1 << 20, unread: 8, calls: CALLS },
    minimum: { bytes: 0, unread: 0, calls: 0 },
    memory: BudgetMemory.of(1, 1),
    timers: processTimers,
  }).join("a");

  take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const opened = (one: ServerHttp2Stream, closed: () => void) => {
      one.once("close", () => {
        closed();
        this.closed += 1;
      });
    };
    const connection = { validUntil: Number.POSITIVE_INFINITY } as Connection;
    const session = { connection, budget: this.#budget, opened } as unknown as Session;
    this.#calls.take({ session, stream, headers, isComplete: false });
  }

  close(): void {
    this.#calls.close();
  }
}

// A change that has begun can't be taken back: it is in the queue to the disk, and its content is in memory. If the end of its
// call freed the budget, a caller could fill queue and memory by cancelling each Put and sending the next one.
it("a cancelled Put holds its caller's budget until the store has answered it", async () => {
  const puts = new HeldPuts();
  const server = createServer().on("stream", (stream, headers) => puts.take(stream, headers));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const put = () => {
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => {}).end(MESSAGE);
    return stream;
  };

  for (let n = 1; n <= CALLS / 2; n++) {
    const stream = put();
    await until("the Put is in the store", () => puts.held.length === n);
    stream.close(constants.NGHTTP2_CANCEL);
    await until("the cancelled Put is closed", () => puts.closed === n);
  }
  const [refused] = await nextEvent(put(), "response");
  assert.equal(refused["grpc-status"], "8", "the caller has as many Puts in the store as it may");
  assert.equal(puts.held.length, CALLS / 2);

  puts.held[0]!();
  await new Promise(setImmediate);
  put();
  await until("the answer of the store makes room for the next Put", () => puts.held.length > CALLS / 2);
  session.destroy();
  server.close();
  puts.close();
});
