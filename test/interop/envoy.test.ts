import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, credentials } from "@grpc/grpc-js";
import { closedByReset } from "../../bench/access.ts";
import { grpcMessage } from "../../bench/request.ts";
import { type WatchResponse, getRequest, putRequest } from "../../src/contract/messages.ts";
import { freePort } from "../support/free-port.ts";
import { PushedTimers } from "../support/pushed-timers.ts";
import { API, POLICY, ServerKit } from "../support/server-kit.ts";
import { Watching } from "../support/watching.ts";
import { ENVOY_INSTALL, Envoy, findEnvoy } from "./envoy.ts";

const program = findEnvoy();
const skip = program === undefined && `no envoy here; ${ENVOY_INSTALL}`;

const GOAWAYS = 60;
const IN_FLIGHT = 16;

// Each answered call advances time by this, in milliseconds. The ten minutes of a connection are then about 800 calls,
// and its 30 seconds of grace 40, which is more than the maximum in flight.
const PACE_MS = 750;

/** More than the maximum age of a connection, in milliseconds. */
const MOST_AGE_MS = 11 * 60_000;

const PATH = "shop/api/envoy";
const value = { key: "value", value: Buffer.from("a value") };
const GET = {
  path: "/coffer.v1.Secrets/Get",
  body: grpcMessage(getRequest.encode(getRequest.of({ path: PATH, version: 0 }))),
};
const PUT = {
  path: "/coffer.v1.Secrets/Put",
  body: grpcMessage(
    putRequest.encode(putRequest.of({ path: PATH, data: [value], binaryData: [], expectedVersion: undefined })),
  ),
};

function versionOf({ event }: WatchResponse): number {
  return event?.kind === "secret" ? event.value.version : 0;
}

/** The outcome of a call: its grpc-status and message, or how its stream ended. */
async function call(session: ClientHttp2Session, { path, body }: typeof GET): Promise<string> {
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  const stream = closedByReset(session.request(headers));
  let [status, message]: unknown[] = [];
  const take = (block: Record<string, unknown>) => {
    status ??= block["grpc-status"];
    message ??= block["grpc-message"];
  };
  stream
    .on("response", take)
    .on("trailers", take)
    .on("error", () => {});
  stream.resume().end(body);
  await once(stream, "close");
  return status === "0" ? "OK" : `grpc-status ${String(status)} ${String(message)} RST ${stream.rstCode}`;
}

describe("Envoy", { skip }, () => {
  let kit: ServerKit;
  let port: number;
  let envoy: Envoy;
  let session: ClientHttp2Session;
  const timers = new PushedTimers();
  before(async () => {
    kit = await ServerKit.start({}, timers);
    writeFileSync(kit.config.policy!, POLICY.replace("list, describe]", "list, describe, watch]"));
    kit.server.reload();
    port = await freePort();
    envoy = await Envoy.start(program!, {
      port,
      adminPort: await freePort(),
      upstreamPort: kit.address.kind === "tcp" ? kit.address.port : 0,
      ...kit.writeCredential(kit.issue({ id: API }), "api"),
      bundle: join(kit.folder, "bundle.pem"),
      serverId: "spiffe://example.org/coffer",
      folder: kit.folder,
    });
    session = connect(`http://127.0.0.1:${port}`);
    assert.equal(await call(session, PUT), "OK");
  });
  after(async () => {
    session?.destroy();
    await envoy?.stop();
    await kit.stop();
  });

  // Envoy retries no call without a retry policy, and reports a stream above the last one of a GOAWAY to its workload
  // as UNAVAILABLE. Calls in flight at the end of a connection are still answered.
  it("loses no call when its connections reach their maximum age", async () => {
    const outcomes = new Map<string, number>();
    const isOver = async () => (await envoy.counter("upstream_cx_close_notify")) >= GOAWAYS;
    let over = false;
    const caller = async (request: typeof GET) => {
      while (!over) {
        const outcome = await call(session, request);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        timers.push(PACE_MS);
      }
    };
    const callers = Array.from({ length: IN_FLIGHT }, (_, i) => caller(i % 4 === 0 ? PUT : GET));
    for (; !over; over = await isOver()) await sleep(50);
    await Promise.all(callers);
    assert.deepEqual([...outcomes.keys()], ["OK"], JSON.stringify(Object.fromEntries(outcomes)));
  });

  // Envoy passes each message on when it arrives, and the reason of the end. By the reason, a client knows that it
  // continues on another connection.
  it("passes on the events of a Watch, and its end with its connection", async (t) => {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    t.after(() => client.close());
    const watching = new Watching({ client }, { paths: [PATH], withValues: true });
    const seen = versionOf(await watching.first((text) => text.startsWith(`${PATH} v`)));
    await watching.synced();
    assert.equal(await call(session, PUT), "OK");
    await watching.first((_text, event) => versionOf(event) === seen + 1);
    timers.push(MOST_AGE_MS);
    assert.deepEqual(await watching.ended(), { code: "UNAVAILABLE", reason: "SHUTTING_DOWN" });
  });
});
