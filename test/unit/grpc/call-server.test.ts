import assert from "node:assert/strict";
import { once } from "node:events";
import {
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  connect,
  createServer,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { it } from "node:test";
import type { ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { CallServer } from "../../../src/grpc/call-server.ts";
import { nextEvent } from "../../support/next-event.ts";

const asIs = (bytes: Buffer) => bytes;
const definition = {
  echo: {
    path: "/test.Echo/Echo",
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
};

/** Makes a call whose stream the server passes to `answer`, and returns the response. */
async function called(
  answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  message: Buffer,
): Promise<{ body: Buffer; status: unknown }> {
  const server = createServer().on("stream", answer);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const headers = { ":method": "POST", ":path": "/test.Echo/Echo", "content-type": "application/grpc", te: "trailers" };
  const stream: ClientHttp2Stream = session.request(headers);
  stream.end(message);
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [trailers] = (await nextEvent(stream, "trailers")) as [IncomingHttpHeaders];
  session.destroy();
  server.close();
  return { body: Buffer.concat(chunks), status: trailers["grpc-status"] };
}

// grpc-js has no public API that accepts a single stream. This test fails when an update removes or renames
// Server._streamHandler.
it("grpc-js answers a single HTTP/2 stream that is passed to Server._streamHandler", async () => {
  const server = new CallServer({});
  const hosts: string[] = [];
  server.addService(definition, {
    echo: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      hosts.push(call.getHost());
      callback(null, call.request);
    },
  });
  const message = Buffer.from([0, 0, 0, 0, 2, 104, 105]);
  const { body, status } = await called((stream, headers) => {
    // grpc-js must also read bytes that were put back, and take the host from the headers that it is given.
    headers[":authority"] = "7";
    stream.once("readable", () => {
      stream.unshift(stream.read() as Buffer);
      server.answer(stream, headers);
    });
  }, message);
  assert.equal(status, "0");
  assert.deepEqual(body, message);
  assert.deepEqual(hosts, ["7"], "ServerUnaryCall.getHost is the :authority of the headers");
});

it("CallServer refuses to be created without Server._streamHandler", () => {
  const prototype = Object.getPrototypeOf(CallServer.prototype) as { _streamHandler: unknown };
  const own = Object.getOwnPropertyDescriptor(prototype, "_streamHandler");
  assert.ok(own, "it is a method of grpc-js's Server");
  Reflect.deleteProperty(prototype, "_streamHandler");
  try {
    assert.throws(() => new CallServer({}), /this release of grpc-js does not accept single HTTP\/2 streams/);
  } finally {
    Object.defineProperty(prototype, "_streamHandler", own);
  }
  assert.doesNotThrow(() => new CallServer({}));
});
