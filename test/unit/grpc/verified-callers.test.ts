import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingHttpHeaders, type ServerHttp2Stream, connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { it } from "node:test";
import { closedByReset } from "../../../bench/access.ts";
import type { Connection } from "../../../src/admission/connection.ts";
import { getRequest, getResponse } from "../../../src/contract/messages.ts";
import { processTimers } from "../../../src/domain/timers.ts";
import { Budgets, DEFAULT_BUDGET_LIMITS, MINIMUM_BUDGET } from "../../../src/grpc/budget.ts";
import { BudgetMemory } from "../../../src/grpc/budget-memory.ts";
import { IncomingCalls } from "../../../src/grpc/incoming-calls.ts";
import type { Session } from "../../../src/grpc/session.ts";
import { unary } from "../../../src/grpc/unary.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import { ANY_CALLER } from "../../support/any-caller.ts";

const PATH = "/coffer.v1.Secrets/Get";
const GET = { path: PATH, number: 1 };
const ANSWER = getResponse.of({ path: "a", version: 1, revision: 1 });
const API = { id: SpiffeId.parse("spiffe://example.org/api"), connection: 7 } as unknown as Connection;
const WEB = { id: SpiffeId.parse("spiffe://example.org/web"), connection: 8 } as unknown as Connection;

/** A session of a verified connection, with only the members that IncomingCalls uses. */
function sessionOf(connection: Connection): Session {
  const budget = new Budgets({
    limits: DEFAULT_BUDGET_LIMITS,
    minimum: MINIMUM_BUDGET,
    memory: BudgetMemory.of(1, 1),
    timers: processTimers,
  }).join(connection.id.toString());
  const opened = (stream: ServerHttp2Stream, closed: () => void) => stream.once("close", closed);
  return { connection: Object.assign(connection, { validUntil: Infinity }), budget, opened } as unknown as Session;
}

type Take = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** Makes a Get on a connection whose streams are passed to `take`, and returns the gRPC status. */
async function statusOf(take: Take, authority: string): Promise<unknown> {
  const server = createServer().on("stream", take);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const headers = {
    ":method": "POST",
    ":path": PATH,
    ":authority": authority,
    "content-type": "application/grpc",
    te: "trailers",
  };
  const stream = closedByReset(session.request(headers));
  const message = getRequest.encode(getRequest.of({ path: "shop/db", version: 0 }));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
  let status: unknown;
  for (const event of ["response", "trailers"]) {
    stream.on(event, (received: IncomingHttpHeaders) => {
      status ??= received["grpc-status"];
    });
  }
  stream.resume();
  try {
    await once(stream, "close");
  } finally {
    session.destroy();
    server.close();
  }
  return status;
}

// The caller of a method is that of the session on which the stream arrived. Nothing that the peer sends, such as the
// authority, changes the caller.
it("the caller of a method is the verified connection of its stream, whatever the headers say", async () => {
  const callers: Connection[] = [];
  const handle = (caller: Connection) => {
    callers.push(caller);
    return ANSWER;
  };
  const method = { request: getRequest, response: getResponse, ...ANY_CALLER, hasLargeAnswer: false, handle };
  const calls = new IncomingCalls({
    routeOf: () => unary(GET, method),
    accepts: () => true,
    timers: processTimers,
    onHandled: () => {},
    answerOpen: () => assert.fail("grpc-js has none of these methods"),
  });
  for (const connection of [API, WEB]) {
    const session = sessionOf(connection);
    const through: Take = (stream, headers) => calls.take({ session, stream, headers, isComplete: false });
    for (const authority of ["1", "coffer", "other.example.org"]) {
      callers.length = 0;
      assert.equal(await statusOf(through, authority), "0");
      assert.deepEqual(callers, [connection]);
    }
  }
  calls.close();
});
