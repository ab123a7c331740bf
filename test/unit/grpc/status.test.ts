import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { status as Code, type StatusObject } from "@grpc/grpc-js";
import {
  DetailType,
  STATUS_DETAILS_TRAILER,
  errorInfo,
  retryInfo,
  status,
} from "../../../src/contract/error-details.ts";
import { budgetExceeded, storeFull } from "../../../src/domain/errors.ts";
import { toStatus } from "../../../src/grpc/status.ts";

function detailOf({ metadata }: StatusObject, type: string): Uint8Array | undefined {
  const [trailer] = metadata.get(STATUS_DETAILS_TRAILER);
  return status.decode(trailer as Buffer).details.find(({ typeUrl }) => typeUrl === type)?.value;
}

describe("the status of an error", () => {
  // A client library that knows google.rpc.RetryInfo waits as long as the server says. Half a millisecond is rounded up:
  // the call would come too early otherwise.
  it("says when a call may be repeated that exceeds its caller's budget", () => {
    const told = toStatus(budgetExceeded("calls", 64, 1500.5));
    assert.equal(told.code, Code.RESOURCE_EXHAUSTED);
    assert.equal(retryInfo.decode(detailOf(told, DetailType.retryInfo)!).retryDelay, 1501);
    const { reason, metadata } = errorInfo.decode(detailOf(told, DetailType.errorInfo)!);
    assert.equal(reason, "BUDGET_EXCEEDED");
    assert.deepEqual(
      metadata.map(({ key, value }) => [key, Buffer.from(value).toString()]),
      [
        ["budget", "calls"],
        ["limit", "64"],
      ],
    );
  });

  it("names no delay where waiting does not help", () => {
    const told = toStatus(storeFull(1024));
    assert.equal(told.code, Code.RESOURCE_EXHAUSTED);
    assert.equal(detailOf(told, DetailType.retryInfo), undefined);
  });
});
