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

/** Learns what of an answer is in memory: `held` when bytes are to be sent, `sent` when they have been. */
export interface UnsentBytes {
  readonly held: (bytes: number) => void;
  readonly sent: (bytes: number) => void;
}

// Bytes. A message that repeats what a caller sent (grpc-js's of an unknown method, health's of an unknown service) could
// make trailers longer than any peer takes, and nghttp2 would send none at all.
const MAX_GRPC_MESSAGE = 1024;

// What requests may be compressed with. grpc-js would answer that it takes gzip and deflate.
const ACCEPT_ENCODING = { "grpc-accept-encoding": "identity" };

type Written = ((error: Error | null | undefined) => void) | undefined;

/**
 * Bounds what is answered on a stream, by whomever: the headers, and the bytes that wait for the peer. An answer that is
 * given before the request is complete also asks the peer to stop sending it (RFC 9113 8.1).
 */
export function boundAnswer(stream: ServerHttp2Stream, unsent: UnsentBytes): void {
  const respond = stream.respond.bind(stream);
  const write = stream.write.bind(stream) as (chunk: Buffer, written: Written) => boolean;
  stream.respond = (headers: OutgoingHttpHeaders = {}, options?: ServerStreamResponseOptions) => {
    respond({ ...headers, ...ACCEPT_ENCODING, ...boundMessage(headers) }, options);
    if (options?.endStream && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
  };
  stream.write = ((chunk: Buffer, written: Written) => {
    unsent.held(chunk.length);
    return write(chunk, (error) => {
      unsent.sent(chunk.length);
      written?.(error);
    });
  }) as ServerHttp2Stream["write"];
}

/** Answers a call with a status and nothing else ("Trailers-Only" in gRPC over HTTP/2). */
export function answerStatus(stream: ServerHttp2Stream, { code, details, metadata }: CallStatus): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  const headers = {
    ":status": 200,
    "content-type": "application/grpc+proto",
    "grpc-status": code,
    "grpc-message": encodeURI(details),
    ...metadata?.toHttp2Headers(),
  };
  stream.respond(headers, { endStream: true });
}

/** Percent-encoding is not cut in the middle of a character. */
function boundMessage({ "grpc-message": message }: OutgoingHttpHeaders): OutgoingHttpHeaders {
  if (typeof message !== "string" || message.length <= MAX_GRPC_MESSAGE) return {};
  return { "grpc-message": message.slice(0, MAX_GRPC_MESSAGE).replace(/(%[0-9A-F]{0,2})*$/i, "") };
}
