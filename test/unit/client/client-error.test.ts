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
import { APPLIED } from "../../../src/contract/reasons.ts";
import { budgetExceeded } from "../../../src/domain/errors.ts";
import { toStatus } from "../../../src/grpc/status.ts";
import { bareCodes } from "../../support/contract-errors.ts";

function serviceError(trailer?: Buffer, code = Code.ABORTED): ServiceError {
  const metadata = new Metadata();
  if (trailer !== undefined) metadata.set(STATUS_DETAILS_TRAILER, trailer);
  return Object.assign(new Error("no"), { code, details: "no", metadata });
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

// A Put without expectedVersion may be repeated only if it was not applied. A read never changes anything.
describe("whether a failed call was applied", () => {
  for (const [code, applied] of bareCodes()) {
    it(`${code} without a reason: ${applied}, as coffer.proto says`, () => {
      const error = serviceError(undefined, Code[code as keyof typeof Code]);
      assert.equal(ClientError.answered(error, true).applied, applied);
      assert.equal(ClientError.answered(error, false).applied, "no");
    });
  }

  it("depends on the reason, if there is one", () => {
    for (const [reason, applied] of Object.entries(APPLIED)) {
      const error = serviceError(trailer(info("coffer", reason)));
      assert.equal(ClientError.answered(error, true).applied, applied, reason);
    }
    // Every object has a property of the second name.
    for (const reason of ["OF_A_NEWER_SERVER", "toString"]) {
      const error = serviceError(trailer(info("coffer", reason)));
      assert.equal(ClientError.answered(error, true).applied, "unknown", reason);
    }
  });
});

describe("the error of an answered call", () => {
  it("has the retry delay that the server sent", () => {
    const { metadata } = toStatus(budgetExceeded("bytes", 1024, 250));
    const error = ClientError.answered(Object.assign(serviceError(), { metadata }), true);
    assert.deepEqual([error.reason, error.retryDelayMs], ["BUDGET_EXCEEDED", 250]);
    assert.equal(
      ClientError.answered(serviceError(trailer(info("coffer", "CONTENTION"))), true).retryDelayMs,
      undefined,
    );
  });

  it("has the server's code, message, reason and metadata", () => {
    const error = ClientError.answered(serviceError(trailer(info("coffer", "VERSION_MISMATCH"))), true);
    assert.deepEqual([error.code, error.message, error.reason], ["ABORTED", "no", "VERSION_MISMATCH"]);
    assert.deepEqual(error.metadata, { latest_version: "3" });
    assert.equal(error.failure, undefined);
  });

  // A proxy between client and server may send its own reasons, which are not Coffer's.
  it("uses only a reason of Coffer's domain", () => {
    const both = trailer(info("proxy.example", "OVERLOADED"), info("coffer", "CONTENTION"));
    assert.equal(ClientError.answered(serviceError(both), true).reason, "CONTENTION");
    assert.equal(
      ClientError.answered(serviceError(trailer(info("proxy.example", "OVERLOADED"))), true).reason,
      undefined,
    );
  });

  it("has code and message if the details are missing or can't be decoded", () => {
    for (const error of [serviceError(), serviceError(Buffer.from([0xff])), serviceError(Buffer.alloc(0))]) {
      const { code, message, reason, metadata } = ClientError.answered(error, true);
      assert.deepEqual(
        { code, message, reason, metadata },
        { code: "ABORTED", message: "no", reason: undefined, metadata: {} },
      );
    }
  });
});
