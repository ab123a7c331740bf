import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import { after, before, describe, it } from "node:test";
import { Connection } from "../../../bench/connection.ts";
import type { Outcome } from "../../../bench/meter.ts";
import { RequestTemplate, VALUE_BYTES } from "../../../bench/request.ts";
import { ScriptedServer, respond } from "./scripted-server.ts";

const reply = Buffer.alloc(VALUE_BYTES + 10);
let server: ScriptedServer;

before(async () => {
  server = await ScriptedServer.start();
});

after(() => server.close());

/** Makes `calls` Gets on one connection and returns the outcome of each, in the order of completion. */
async function call(calls: number, inFlight = 4): Promise<string[]> {
  const { target } = server;
  const outcomes: string[] = [];
  let left = calls;
  const connection = await Connection.open(target, {
    template: new RequestTemplate("coffer", "get", `localhost:${target.port}`),
    inFlight,
    next: () => (left-- > 0 ? left : undefined),
    ended: (outcome: Outcome) => outcomes.push(outcome.kind === "ok" ? "ok" : outcome.what),
  });
  await connection.run();
  return outcomes;
}

describe("the benchmark's connection", () => {
  // A failure never counts as a call: the client reads the status that the server sent, with any other headers, and
  // with any number of entries in the server's header table.
  it("reads every grpc-status", async () => {
    const sent: string[] = [];
    server.answer = (stream) => {
      const n = sent.length;
      const code = (n * 7) % 17;
      sent.push(code === 0 ? "ok" : `grpc-status ${code}`);
      const noise = { [`x-${n % 50}`]: `${"noise".repeat(n % 9)}${n}` };
      respond(stream, reply, noise, { ...noise, "grpc-status": `${code}`, "grpc-message": `call ${n}` });
    };
    const read = await call(1000, 1);
    assert.deepEqual(read, sent);
    assert.equal(new Set(read).size, 17);
  });

  // Servers such as etcd answer OK for a key that does not exist. The reply without the value is too short.
  it("counts a reply without a value as an error", async () => {
    server.answer = (stream) => respond(stream, reply.subarray(0, 50), {}, { "grpc-status": "0" });
    assert.deepEqual(await call(2), ["a reply that is too short", "a reply that is too short"]);
    server.answer = (stream) => respond(stream, reply, {}, { "grpc-status": "0" });
    assert.deepEqual(await call(2), ["ok", "ok"]);
  });

  // An answer that is reset, or that is not gRPC, is an error of its call and does not affect the other calls.
  it("counts a reset stream and an answer without grpc-status as errors", async () => {
    const answers = [
      (stream: ServerHttp2Stream) => stream.close(8),
      (stream: ServerHttp2Stream) => stream.respond({ ":status": 404 }, { endStream: true }),
      (stream: ServerHttp2Stream) => respond(stream, reply, {}, { "grpc-status": "0" }),
    ];
    let n = 0;
    server.answer = (stream) => answers[n++]!(stream);
    assert.deepEqual(await call(3, 1), ["RST_STREAM 8", "no grpc-status", "ok"]);
  });

  // A server may send GOAWAY at any time. The connection then starts no further call, and ends when the calls that the
  // server accepted are answered, so that the next connection makes the remaining calls. The test makes one call at a
  // time, because nghttp2 ignores streams that cross its GOAWAY.
  it("ends after GOAWAY, when its calls are answered", async () => {
    let received = 0;
    server.answer = (stream) => {
      received += 1;
      if (received === 5) stream.session!.goaway(0, 2 ** 31 - 1); // as grpc-js does: it still serves open streams
      respond(stream, reply, {}, { "grpc-status": "0" });
    };
    const outcomes = await call(1000, 1);
    assert.deepEqual(outcomes, Array(5).fill("ok"));
    assert.equal(received, 5);
  });

  // All requests together are larger than the server's window. The client stays within it and continues as it grows.
  it("sends more than the server's window allows at once", async () => {
    server.answer = (stream) => respond(stream, reply, {}, { "grpc-status": "0" });
    assert.deepEqual(await call(6000, 64), Array(6000).fill("ok"));
  });
});
