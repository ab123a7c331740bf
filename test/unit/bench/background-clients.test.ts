import assert from "node:assert/strict";
import type { Http2Session, ServerHttp2Stream } from "node:http2";
import { after, before, describe, it } from "node:test";
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
  // The other client is measured from the first answer on. Until then there would be no load on the server.
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

  // A measurement without the load that it names would be wrong. The server ends one connection; the other one closes when
  // the process of the clients has ended.
  it("reject when their server ends a connection", async () => {
    server.answer = answerWith("0");
    const clients = await BackgroundClients.start(job());
    const sessions = new Set<Http2Session>();
    const allClosed = new Promise<void>((resolve) => {
      server.answer = (stream) => {
        const session = stream.session!;
        if (!sessions.has(session))
          session.once("close", () => sessions.delete(session) && sessions.size === 0 && resolve());
        sessions.add(session);
        if (sessions.size === 2) session.destroy();
        else answerWith("0")(stream);
      };
    });
    await allClosed;
    await assert.rejects(clients.stop());
  });
});
