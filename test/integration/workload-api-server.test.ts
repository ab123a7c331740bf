import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { parseEndpoint } from "../../src/workload-api/endpoint.ts";
import { FETCH_X509_SVID } from "../../src/workload-api/x509-messages.ts";
import { nextEvent } from "../support/next-event.ts";
import { WorkloadApiKit } from "../support/workload-api-kit.ts";

let kit: WorkloadApiKit;
beforeEach(async () => {
  kit = await WorkloadApiKit.start();
});
afterEach(() => kit.close());

// Other tests rely on this server, so these tests check that it behaves like SPIRE's.
describe("the Workload API of the tests", () => {
  async function request(header: Record<string, string | string[]>, path = FETCH_X509_SVID): Promise<ServiceError> {
    const client = new Client(parseEndpoint(kit.server.endpoint).target, credentials.createInsecure());
    const metadata = new Metadata();
    for (const [name, values] of Object.entries(header)) for (const value of [values].flat()) metadata.add(name, value);
    const pass = (bytes: Buffer) => bytes;
    const stream = client.makeServerStreamRequest(path, pass, pass, Buffer.alloc(0), metadata);
    stream.resume();
    const [error] = (await nextEvent(stream, "error")) as [ServiceError];
    client.close();
    return error;
  }

  it("refuses a request without the header, and one that has it in another form", async () => {
    assert.equal((await request({ "workload.spiffe.io": "true" })).code, status.PERMISSION_DENIED);
    for (const value of [[], "1", "TRUE", ["true", "true"]]) {
      const { code, details } = await request({ "workload.spiffe.io": value });
      assert.deepEqual([code, details], [status.INVALID_ARGUMENT, "security header missing from request"]);
    }
  });

  it("has no other methods", async () => {
    const header = { "workload.spiffe.io": "true" };
    assert.equal((await request(header, "/SpiffeWorkloadAPI/FetchWITSVID")).code, status.UNIMPLEMENTED);
  });
});
