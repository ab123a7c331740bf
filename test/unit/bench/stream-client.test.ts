import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Outcome } from "../../../bench/meter.ts";
import { grpcMessage } from "../../../bench/request.ts";
import { StreamClient } from "../../../bench/stream-client.ts";
import { ScriptedServer, respond } from "./scripted-server.ts";

let server: ScriptedServer;

before(async () => {
  server = await ScriptedServer.start();
});

after(() => server.close());

interface Answer {
  readonly messages: readonly string[];
  readonly outcome: Outcome;
}

/** Makes a call on a connection of its own. */
async function call(): Promise<Answer> {
  const client = await StreamClient.open(server.target);
  const messages: string[] = [];
  const outcome = await new Promise<Outcome>((onEnd) => {
    const onMessage = (message: Buffer) => messages.push(message.toString());
    client.call({ method: "/a/b", request: Buffer.from("request"), onMessage, onEnd });
  });
  client.close();
  return { messages, outcome };
}

describe("the benchmark's client for streams", () => {
  // The frames of HTTP/2 need not begin and end where messages do.
  it("reads the messages of an answer, however they are divided", async () => {
    const sent = ["one", "", "x".repeat(40_000), "four"];
    const bytes = Buffer.concat(sent.map((text) => grpcMessage(Buffer.from(text))));
    server.answer = (stream) => {
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      const cuts = [0, 1, 6, 9, 13, 20_000, bytes.length];
      for (const [index, cut] of cuts.entries()) if (index > 0) stream.write(bytes.subarray(cuts[index - 1], cut));
      stream.end();
    };
    assert.deepEqual(await call(), { messages: sent, outcome: { kind: "ok" } });
  });

  // A failure never counts as a call.
  it("reports a call that fails", async () => {
    server.answer = (stream) => respond(stream, grpcMessage(Buffer.from("a")), {}, { "grpc-status": "7" });
    assert.deepEqual(await call(), { messages: ["a"], outcome: { kind: "error", what: "grpc-status 7" } });
    server.answer = (stream) => stream.close(8);
    assert.deepEqual(await call(), { messages: [], outcome: { kind: "error", what: "RST_STREAM 8" } });
    server.answer = (stream) => stream.session!.destroy();
    assert.equal((await call()).outcome.kind, "error");
  });

  // Without an outcome, the calls after the end of a connection would be missing in the result instead of failing the run.
  it("reports the calls that begin after the server has ended the connection", async () => {
    for (const end of ["goaway", "destroy"] as const) {
      server.answer = (stream) => {
        const { session } = stream;
        respond(stream, grpcMessage(Buffer.from("a")), {}, { "grpc-status": "0" });
        stream.once("close", () => session!.destroyed || session![end]());
      };
      const client = await StreamClient.open(server.target);
      const outcomes: Outcome[] = [];
      // The first calls can arrive before the end.
      while (outcomes.at(-1)?.kind !== "error") outcomes.push(await client.callOnce("/a/b", Buffer.from("request")));
      assert.equal(outcomes[0]!.kind, "ok", end);
      assert.equal((await client.callOnce("/a/b", Buffer.from("request"))).kind, "error", end);
      client.close();
    }
  });
});
