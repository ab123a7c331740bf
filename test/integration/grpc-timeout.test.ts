import assert from "node:assert/strict";
import type { ClientHttp2Session } from "node:http2";
import { after, before, describe, it } from "node:test";
import { status as Code } from "@grpc/grpc-js";
import { beginCall } from "../../bench/access.ts";
import { grpcMessage } from "../../bench/request.ts";
import { putRequest } from "../../src/contract/messages.ts";
import { type BareAnswer, answerOf, sessionOf } from "../support/bare-call.ts";
import { nextEvent } from "../support/next-event.ts";
import { ADMIN, ServerKit } from "../support/server-kit.ts";

let kit: ServerKit;
let session: ClientHttp2Session;

before(async () => {
  kit = await ServerKit.start();
  session = await sessionOf(kit, ADMIN);
});

after(async () => {
  session.destroy();
  await kit.stop();
});

const message = grpcMessage(
  putRequest.encode(
    putRequest.of({
      path: "shop/api/timeouts",
      data: [{ key: "k", value: Buffer.from("v") }],
      binaryData: [],
      expectedVersion: undefined,
    }),
  ),
);

function put(timeout: string | string[]): Promise<BareAnswer> {
  const stream = beginCall(session, "/coffer.v1.Secrets/Put", { "grpc-timeout": timeout });
  stream.end(message);
  return answerOf(stream);
}

/** Opens a health Watch. Resolves with its first message. */
async function watch(timeout: string) {
  const stream = beginCall(session, "/grpc.health.v1.Health/Watch", { "grpc-timeout": timeout });
  stream.end(Buffer.alloc(5));
  await nextEvent(stream, "data");
  return stream;
}

// A timer of Node with a delay above its maximum fires immediately, but such a deadline has not passed. Callers that
// need no deadline use such values.
describe("a timeout of days", () => {
  const headers = [
    "2592000S",
    "4294970S",
    "99999999S",
    "99999999H",
    "99999999M",
    "99999999m",
    "99999999u",
    "24H",
    "100000M",
  ];

  for (const timeout of headers) {
    it(`serves a Put: ${timeout}`, async () => {
      assert.equal((await put(timeout)).code, Code.OK);
    });

    it(`leaves a Watch open: ${timeout}`, async () => {
      const stream = await watch(timeout);
      assert.equal((await put("30S")).code, Code.OK);
      assert.equal(stream.closed, false);
      stream.close();
    });
  }
});

// gRPC over HTTP/2, "Requests". grpc-go and grpc-java also answer INTERNAL.
describe("a malformed timeout", () => {
  for (const timeout of ["12x", "123456789S", "-1S", "1", "S", "1.5S", "", ["1S", "2S"]]) {
    it(`is a protocol error: ${JSON.stringify(timeout)}`, async () => {
      const { code, message: text } = await put(timeout);
      assert.equal(code, Code.INTERNAL);
      assert.match(text, /^invalid grpc-timeout: /);
    });
  }
});

// A Watch does not end by itself, so only its timeout can end it.
describe("a timeout that has passed", () => {
  for (const timeout of ["0S", "1n", "00000000H"]) {
    it(`ends a call: ${timeout}`, async () => {
      const stream = beginCall(session, "/grpc.health.v1.Health/Watch", { "grpc-timeout": timeout });
      stream.end(Buffer.alloc(5));
      assert.equal((await answerOf(stream)).code, Code.DEADLINE_EXCEEDED);
    });
  }
});
