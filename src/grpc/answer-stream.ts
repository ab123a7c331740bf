import {
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
  constants,
} from "node:http2";
import type { Metadata } from "@grpc/grpc-js";

/** How a call ends, as gRPC says it. */
export interface CallStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata | undefined;
}

// Bytes. A message that repeats what a caller sent (grpc-js's of an unknown method, health's of an unknown service) could
// make trailers longer than any peer takes, and nghttp2 would send none at all.
const MAX_GRPC_MESSAGE = 1024;

/** How requests may be compressed. grpc-js would answer that it takes gzip and deflate. */
export const ACCEPT_ENCODING = { "grpc-accept-encoding": "identity" };

/** Bounds the headers that another library answers on a stream with. */
export function boundHeaders(stream: ServerHttp2Stream): void {
  const respond = stream.respond.bind(stream);
  stream.respond = (headers: OutgoingHttpHeaders = {}, options?: ServerStreamResponseOptions) => {
    const message = headers["grpc-message"];
    const bounded = typeof message === "string" ? { "grpc-message": boundMessage(message) } : {};
    respond({ ...headers, ...ACCEPT_ENCODING, ...bounded }, options);
    if (options?.endStream) askToStop(stream);
  };
}

/**
 * Answers a call with a status and nothing else ("Trailers-Only" in gRPC over HTTP/2), whether or not all of its request
 * has come.
 */
export function answerStatus(stream: ServerHttp2Stream, { code, details, metadata }: CallStatus): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  const headers = {
    ":status": 200,
    "content-type": "application/grpc+proto",
    "grpc-status": code,
    "grpc-message": boundMessage(encodeURI(details)),
    ...ACCEPT_ENCODING,
    ...metadata?.toHttp2Headers(),
  };
  stream.respond(headers, { endStream: true });
  askToStop(stream);
  // node:http2 keeps a stream that is closed until all that has come was read, and with it what the call holds.
  stream.resume();
}

/** The answer is complete: the peer need not send the rest of its request (RFC 9113 8.1). */
function askToStop(stream: ServerHttp2Stream): void {
  if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
}

/** Percent-encoding is not cut in the middle of a character. */
function boundMessage(message: string): string {
  if (message.length <= MAX_GRPC_MESSAGE) return message;
  return message.slice(0, MAX_GRPC_MESSAGE).replace(/(%[0-9A-F]{0,2})*$/i, "");
}
