import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type ClientReadableStream, type ServiceError, status as Code } from "@grpc/grpc-js";
import { type MethodDefinition, type ServiceDefinition, loadSync } from "@grpc/proto-loader";
import { type Caller, ServerKit } from "../support/server-kit.ts";

interface Health {
  readonly status: string;
}

const proto = loadSync("grpc/health/v1/health.proto", { includeDirs: ["proto"], enums: String });
const health = proto["grpc.health.v1.Health"] as ServiceDefinition;
const check = health["Check"] as MethodDefinition<object, Health>;
const watch = health["Watch"] as MethodDefinition<object, Health>;

let kit: ServerKit;
let stranger: Caller;

// Health is for every caller with a valid SVID: this one is in no rule of the policy.
beforeEach(async () => {
  kit = await ServerKit.start();
  stranger = kit.caller("spiffe://example.org/nobody");
});

afterEach(async () => {
  stranger.close();
  await kit.stop();
});

function checked(service: string): Promise<string> {
  return new Promise((resolve) => {
    const { path, requestSerialize, responseDeserialize } = check;
    stranger.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, response) =>
      resolve(error === null ? response!.status : Code[error.code]),
    );
  });
}

function watched(service: string): ClientReadableStream<Health> {
  const { path, requestSerialize, responseDeserialize } = watch;
  return stranger.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service });
}

/** What is left of a stream: each status, and the code that it ended with. */
async function rest(stream: ClientReadableStream<Health>): Promise<string[]> {
  const seen: string[] = [];
  stream.on("data", ({ status }: Health) => seen.push(status));
  const [error] = (await once(stream, "error")) as [ServiceError];
  return [...seen, Code[error.code]];
}

describe("health", () => {
  it("is SERVING overall and for the service, and NOT_FOUND for what is not served", async () => {
    assert.equal(await checked(""), "SERVING");
    assert.equal(await checked("coffer.v1.Secrets"), "SERVING");
    assert.equal(await checked("coffer.v1.Nothing"), "NOT_FOUND");
  });

  // A Watch never ends by itself: a shutdown that waited for it would last until it is cut off.
  it("tells its watchers of the shutdown, and then ends their streams", async () => {
    const streams = ["", "coffer.v1.Secrets", "coffer.v1.Nothing"].map(watched);
    const first = await Promise.all(streams.map((stream) => once(stream, "data")));
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
});
