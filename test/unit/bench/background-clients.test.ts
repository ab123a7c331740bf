import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import { after, before, describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { BackgroundClients, type BackgroundJob } from "../../../bench/background-clients.ts";
import { ScriptedServer, respond } from "./scripted-server.ts";

let server: ScriptedServer;

before(async () => {
  server = await ScriptedServer.start();
});

after(() => server.close());

const job = (): BackgroundJob => ({
  target: server.target,
  operation: "put",
  numbers: { kind: "sequence", from: 0 },
  connections: 2,
  inFlight: 3,
});

const answerWith = (status: string) => (stream: ServerHttp2Stream) =>
  respond(stream, Buffer.alloc(6), {}, { "grpc-status": status });

describe("background clients", () => {
  // The measurement of the other client begins when `start` resolves, and must not include a time without this load.
  it("have started when a call is answered, and then have all their calls in flight", async () => {
    const waiting: ServerHttp2Stream[] = [];
    const allArrived = new Promise<void>((resolve) => {
      server.answer = (stream) => {
        waiting.push(stream);
        if (waiting.length === 6) resolve();
      };
    });
    let hasStarted = false;
    const start = BackgroundClients.start(job()).finally(() => {
      hasStarted = true;
    });
    await allArrived;
    assert.equal(hasStarted, false);
    const next = new Promise<void>((resolve) => {
      server.answer = () => resolve();
    });
    answerWith("0")(waiting[0]!);
    await next; // the call that takes the place of the answered one
    const { calls, errors } = await (await start).stop();
    assert.deepEqual({ calls, errors }, { calls: 1, errors: {} });
  });

  it("count failed calls by their status", async () => {
    server.answer = answerWith("14");
    const clients = await BackgroundClients.start(job());
    const { calls, errors } = await clients.stop();
    assert.equal(calls, 0);
    assert.ok((errors["grpc-status 14"] ?? 0) >= 1);
  });

  // A measurement without the load that it names would be wrong. One connection is cut; the other one closes when the
  // process of the clients has ended.
  it("reject when one of their connections is cut", async () => {
    server.answer = answerWith("0");
    const sockets: TLSSocket[] = [];
    const collect = (socket: TLSSocket) => void sockets.push(socket);
    server.http2.on("secureConnection", collect);
    const clients = await BackgroundClients.start(job());
    server.http2.off("secureConnection", collect);
    assert.equal(sockets.length, 2);
    const allClosed = Promise.all(sockets.map((socket) => new Promise((closed) => socket.once("close", closed))));
    sockets[0]!.destroy();
    await allClosed;
    await assert.rejects(clients.stop());
  });
});
