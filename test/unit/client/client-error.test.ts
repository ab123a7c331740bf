import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Metadata, type ServiceError, status as Code } from "@grpc/grpc-js";
import {
  DetailType,
  type ErrorInfo,
  STATUS_DETAILS_TRAILER,
  errorInfo,
  status,
} from "../../../src/contract/error-details.ts";
import { ClientError } from "../../../src/client/client-error.ts";

function serviceError(trailer?: Buffer): ServiceError {
  const metadata = new Metadata();
  if (trailer !== undefined) metadata.set(STATUS_DETAILS_TRAILER, trailer);
  return Object.assign(new Error("10 ABORTED: no"), { code: Code.ABORTED, details: "no", metadata });
}

function trailer(...infos: ErrorInfo[]): Buffer {
  const details = infos.map((info) => ({ typeUrl: DetailType.errorInfo, value: errorInfo.encode(info) }));
  return status.encode({ code: 10, message: "no", details });
}

const info = (domain: string, reason: string): ErrorInfo => ({
  domain,
  reason,
  metadata: [{ key: "latest_version", value: Buffer.from("3") }],
});

describe("the error of an answered call", () => {
  it("has the server's code, words, reason and facts", () => {
    const error = ClientError.answered(serviceError(trailer(info("coffer", "VERSION_MISMATCH"))));
    assert.deepEqual([error.code, error.message, error.reason], ["ABORTED", "no", "VERSION_MISMATCH"]);
    assert.deepEqual(error.metadata, { latest_version: "3" });
    assert.equal(error.failure, undefined);
  });

  // A proxy on the way may have reasons of its own; they are not ours.
  it("takes the reason of Coffer's domain alone", () => {
    const both = trailer(info("proxy.example", "OVERLOADED"), info("coffer", "CONTENTION"));
    assert.equal(ClientError.answered(serviceError(both)).reason, "CONTENTION");
    assert.equal(ClientError.answered(serviceError(trailer(info("proxy.example", "OVERLOADED")))).reason, undefined);
  });

  it("keeps code and words when the details are missing or can't be read", () => {
    for (const error of [serviceError(), serviceError(Buffer.from([0xff])), serviceError(Buffer.alloc(0))]) {
      const { code, message, reason, metadata } = ClientError.answered(error);
      assert.deepEqual(
        { code, message, reason, metadata },
        { code: "ABORTED", message: "no", reason: undefined, metadata: {} },
      );
    }
  });
});
