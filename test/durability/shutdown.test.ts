import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type Client, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { putRequest } from "../../src/contract/messages.ts";
import { contentOf, dump } from "../support/dump.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { Ledger } from "../support/ledger.ts";
import { nextEvent } from "../support/next-event.ts";
import { until } from "../support/until.ts";
import { LOAD_PATHS, writeUntilGone } from "./load.ts";

const site = new Site();
after(() => site.remove());

const asIs = (bytes: Buffer) => bytes;

/**
 * Opens a health Watch and a reflection stream, waits for a message of each, and returns the errors with which they
 * end.
 */
async function openStreams(client: Client): Promise<Promise<ServiceError>[]> {
  const watch = client.makeServerStreamRequest("/grpc.health.v1.Health/Watch", asIs, asIs, Buffer.alloc(0));
  const reflection = client.makeBidiStreamRequest(
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    asIs,
    asIs,
    new Metadata(),
  );
  reflection.write(Buffer.from([0x3a, 0x00])); // list_services: ""
  const endings = [watch, reflection].map((call) => nextEvent(call, "error").then(([error]) => error as ServiceError));
  await Promise.all([watch, reflection].map((call) => nextEvent(call, "data")));
  return endings;
}

/** The body of a Put on the wire. */
function putMessage(path: string): Buffer {
  const content = { data: [{ key: "text", value: Buffer.from("late") }], binaryData: [], expectedVersion: undefined };
  const message = putRequest.encode(putRequest.of({ path, ...content }));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function openPut(session: ClientHttp2Session): ClientHttp2Stream {
  return session.request({
    ":method": "POST",
    ":path": "/coffer.v1.Secrets/Put",
    "content-type": "application/grpc",
    te: "trailers",
  });
}

/** Opens a connection with one Put whose headers the server has received and whose message is not sent. */
async function halfPut(server: ServerProcess): Promise<ClientHttp2Stream> {
  const options = { ...site.clientTls, servername: "localhost" };
  const session = connect(`https://127.0.0.1:${server.port}`, options);
  session.on("error", () => {});
  const half = openPut(session);
  half.on("error", () => {});
  // The server receives streams in order, so the first has arrived when the second is answered.
  const complete = openPut(session);
  complete.end(putMessage("complete"));
  await nextEvent(complete, "response");
  complete.resume();
  return half;
}

/** Whether the kernel refuses a connection, because nothing listens. */
async function isRefused(port: number): Promise<boolean> {
  const socket = connectTcp(port, "127.0.0.1");
  try {
    await nextEvent(socket, "connect");
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
  } finally {
    socket.destroy();
  }
}

describe("SIGTERM", () => {
  // Every call in progress is answered: each applied change is acknowledged, no refused change is present, and all
  // acknowledged changes are present after a restart. The streams of health and reflection, which never end by
  // themselves, end with UNAVAILABLE and a message. The write-ahead log is empty.
  it("under load shuts the server down gracefully", async () => {
    const server = await site.start({ flags: ["--log-level", "debug"] });
    const streaming = site.caller(server);
    const endings = await openStreams(streaming.client);
    const callers = Array.from({ length: 4 }, () => site.caller(server));
    const ledger = new Ledger();
    let acknowledged = 0;
    const onAcknowledged = () => {
      acknowledged += 1;
      if (acknowledged === 200) server.signal("SIGTERM");
    };
    await writeUntilGone({ callers, ledger, name: "term", writers: 16, onAcknowledged });
    assert.deepEqual(await server.ended, { code: 0, signal: null });

    for (const { code, details } of await Promise.all(endings)) {
      assert.deepEqual([status[code], details], ["UNAVAILABLE", "the server is shutting down"]);
    }
    assert.deepEqual(server.lines("connections interrupted"), [], "the server waited until its limit of ten seconds");
    const log = statSync(join(site.data, "store", "coffer.db-wal"), { throwIfNoEntry: false });
    assert.equal(log?.size ?? 0, 0);
    const answered = server
      .lines("call")
      .filter(({ method, code }) => /Put|Delete/.test(String(method)) && code === "OK");
    assert.equal(answered.length, ledger.acknowledged, "an answer of the server did not arrive");

    const again = await site.start();
    const reader = site.caller(again);
    const found = await dump(reader, LOAD_PATHS);
    assert.deepEqual(ledger.check(found), []);
    const versions = [...found.secrets.values()].map((retained) => retained.at(-1)!.version);
    const applied = versions.reduce((sum, latest) => sum + latest, 0);
    assert.equal(applied, ledger.count("put"), "a Put was applied and not acknowledged");
    for (const caller of [streaming, reader, ...callers]) caller.close();
    await again.stop();
  });

  // A call whose headers arrived before the signal is served, even if its message arrives late. Otherwise, clients that
  // never retry would lose it. The server waits for the call, and then ends by itself.
  it("does not interrupt a call that has begun, and prevents new connections", async () => {
    const server = await site.start();
    const late = await halfPut(server);
    server.signal("SIGTERM");
    await server.logged("stopping");
    const answer = nextEvent(late, "response");
    const trailers = nextEvent(late, "trailers");
    late.resume();
    await until("nothing listens any more", () => isRefused(server.port));
    const newCaller = site.caller(server);
    const refused = await newCaller.get({ path: "complete" });
    newCaller.close();
    assert.deepEqual([refused.code, refused.reason], ["UNAVAILABLE", undefined]);
    late.end(putMessage("late"));
    const [, [headers]] = (await Promise.all([answer, trailers])) as [unknown, [Record<string, string>]];
    assert.equal(headers["grpc-status"], String(status.OK));
    assert.deepEqual(await server.ended, { code: 0, signal: null });
    const again = await site.start();
    const caller = site.caller(again);
    assert.equal((await caller.get({ path: "late" })).code, "OK");
    assert.equal((await caller.get({ path: "complete" })).code, "OK");
    caller.close();
    await again.stop();
  });

  // The server exits immediately at a second signal, and no acknowledged change is lost.
  it("ends the server immediately when it is sent a second time", async () => {
    const server = await site.start();
    const caller = site.caller(server);
    assert.equal((await caller.put({ path: "kept", ...contentOf("kept") })).code, "OK");
    const held = await halfPut(server);
    server.signal("SIGTERM");
    await server.logged("stopping");
    server.signal("SIGTERM");
    assert.deepEqual(await server.ended, { code: 143, signal: null });
    assert.equal(server.lines("stopped").length, 0);
    held.session?.destroy();
    caller.close();
    const again = await site.start();
    const reader = site.caller(again);
    assert.equal((await reader.get({ path: "kept" })).code, "OK");
    reader.close();
  });
});
