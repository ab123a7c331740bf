import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type ClientReadableStream, type ServiceError, status as Code } from "@grpc/grpc-js";
import { type MethodDefinition, type ServiceDefinition, loadSync } from "@grpc/proto-loader";
import { type Timers, processTimers } from "../../src/domain/timers.ts";
import { nextEvent } from "../support/next-event.ts";
import { ADMIN, type Caller, ServerKit } from "../support/server-kit.ts";

// No other delay of the server has this length.
const DELAY_MS = 54_321;

interface Health {
  readonly status: string;
}

const proto = loadSync("grpc/health/v1/health.proto", { includeDirs: ["proto"], enums: String });
const health = proto["grpc.health.v1.Health"] as ServiceDefinition;
const check = health["Check"] as MethodDefinition<object, Health>;
const watch = health["Watch"] as MethodDefinition<object, Health>;

let kit: ServerKit;
let anyCaller: Caller;

// Health is available to every caller with a valid SVID: no rule of the policy names this one.
beforeEach(async () => {
  kit = await ServerKit.start();
  anyCaller = kit.caller("spiffe://example.org/no-rule");
});

afterEach(async () => {
  anyCaller.close();
  await kit.stop();
});

function checked(service: string, caller = anyCaller): Promise<string> {
  return new Promise((resolve) => {
    const { path, requestSerialize, responseDeserialize } = check;
    caller.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, response) =>
      resolve(error === null ? response!.status : Code[error.code]),
    );
  });
}

function watched(service: string): ClientReadableStream<Health> {
  const { path, requestSerialize, responseDeserialize } = watch;
  return anyCaller.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service });
}

/** Reads the rest of a stream: its statuses, and its final code. */
async function rest(stream: ClientReadableStream<Health>): Promise<string[]> {
  const seen: string[] = [];
  stream.on("data", ({ status }: Health) => seen.push(status));
  const [error] = (await nextEvent(stream, "error")) as [ServiceError];
  return [...seen, Code[error.code]];
}

describe("health", () => {
  it("is SERVING overall and for the service, and NOT_FOUND for any other service", async () => {
    assert.equal(await checked(""), "SERVING");
    assert.equal(await checked("coffer.v1.Secrets"), "SERVING");
    assert.equal(await checked("coffer.v1.Nothing"), "NOT_FOUND");
  });

  // A Watch never ends by itself: a shutdown that waited for it would take its maximum time.
  it("reports the shutdown to its watchers, and then ends their streams", async () => {
    const streams = ["", "coffer.v1.Secrets", "coffer.v1.Nothing"].map(watched);
    const first = await Promise.all(streams.map((stream) => nextEvent(stream, "data")));
    assert.deepEqual(
      first.map(([{ status }]) => status),
      ["SERVING", "SERVING", "SERVICE_UNKNOWN"],
    );
    const endings = streams.map(rest);
    await kit.stop();
    assert.deepEqual(await Promise.all(endings), [
      ["NOT_SERVING", "UNAVAILABLE"],
      ["NOT_SERVING", "UNAVAILABLE"],
      ["UNAVAILABLE"],
    ]);
  });

  // A load balancer checks health and /readyz at intervals, and sends callers to this server until its next check.
  it("is NOT_SERVING during --shutdown-delay, while calls are still served", async () => {
    let endOfDelay = () => {};
    const delay: Timers["delay"] = (ms, task) => {
      if (ms !== DELAY_MS) return processTimers.delay(ms, task);
      endOfDelay = task;
      return () => {};
    };
    const slow = await ServerKit.start({ shutdownDelayMs: DELAY_MS }, { ...processTimers, delay });
    const early = slow.caller(ADMIN);
    assert.equal((await early.put({ path: "a", data: { value: "1" } })).code, "OK");
    const { opsUrl } = slow;
    assert.equal((await fetch(`${opsUrl}/readyz`)).status, 200);
    const stopped = slow.stop();
    while ((await fetch(`${opsUrl}/readyz`)).status === 200);
    const late = slow.caller(ADMIN);
    assert.equal((await late.put({ path: "a", data: { value: "2" } })).code, "OK");
    assert.equal((await early.get({ path: "a" })).response.version, 2);
    assert.equal(await checked("", late), "NOT_SERVING");
    assert.equal((await fetch(`${opsUrl}/livez`)).status, 200);
    endOfDelay();
    await stopped;
    assert.equal((await early.get({ path: "a" })).code, "UNAVAILABLE");
    assert.match(String(slow.log.find(({ event }) => event === "stopping")!["detail"]), /another 54321 ms/);
    for (const caller of [early, late]) caller.close();
  });
});
