import { status as Code } from "@grpc/grpc-js";
import { MAX_RECEIVE_BYTES } from "../contract/limits.ts";
import type { CallStatus } from "./answer-stream.ts";

// The statuses of requests that are refused without one of Coffer's errors.

/** The flag of a compressed message, without the header that names a compression. */
export const COMPRESSED_MESSAGE: CallStatus = {
  code: Code.INTERNAL,
  details: "the message is marked as compressed, but the request has no grpc-encoding",
  metadata: undefined,
};

/** The message is longer than any request can be. */
export const TOO_LONG: CallStatus = {
  code: Code.RESOURCE_EXHAUSTED,
  details: `the request is longer than ${MAX_RECEIVE_BYTES} bytes`,
  metadata: undefined,
};

/**
 * The caller's deadline has passed. gRPC clients end the call with this code themselves. This status is for a client that
 * does not.
 */
export const EXPIRED: CallStatus = {
  code: Code.DEADLINE_EXCEEDED,
  details: "the deadline of the call has passed",
  metadata: undefined,
};
