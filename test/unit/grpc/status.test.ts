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
import { budgetExceeded, queueFull, storeFull } from "../../../src/domain/errors.ts";
import { toStatus } from "../../../src/grpc/status.ts";

function detailOf({ metadata }: StatusObject, type: string): Uint8Array | undefined {
  const [trailer] = metadata.get(STATUS_DETAILS_TRAILER);
  return status.decode(trailer as Buffer).details.find(({ typeUrl }) => typeUrl === type)?.value;
}

describe("the status of an error", () => {
  // A client library that supports google.rpc.RetryInfo waits for this delay. Half a millisecond is rounded up, so that
  // the call is not repeated too early.
  it("contains the retry delay of a call that exceeds its caller's budget", () => {
    const status = toStatus(budgetExceeded("calls", 64, 1500.5));
    assert.equal(status.code, Code.RESOURCE_EXHAUSTED);
    assert.equal(retryInfo.decode(detailOf(status, DetailType.retryInfo)!).retryDelay, 1501);
    const { reason, metadata } = errorInfo.decode(detailOf(status, DetailType.errorInfo)!);
    assert.equal(reason, "BUDGET_EXCEEDED");
    assert.deepEqual(
      metadata.map(({ key, value }) => [key, Buffer.from(value).toString()]),
      [
        ["budget", "calls"],
        ["limit", "64"],
      ],
    );
  });

  // Generic retry policies repeat UNAVAILABLE, which is safe here: the change did not reach the store.
  it("contains the retry delay of a change for which the queue is full", () => {
    const status = toStatus(queueFull(1000));
    assert.equal(status.code, Code.UNAVAILABLE);
    assert.equal(retryInfo.decode(detailOf(status, DetailType.retryInfo)!).retryDelay, 1000);
    assert.equal(errorInfo.decode(detailOf(status, DetailType.errorInfo)!).reason, "QUEUE_FULL");
  });

  it("contains no retry delay if waiting does not help", () => {
    const status = toStatus(storeFull(1024));
    assert.equal(status.code, Code.RESOURCE_EXHAUSTED);
    assert.equal(detailOf(status, DetailType.retryInfo), undefined);
  });
});
