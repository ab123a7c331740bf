import {
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
  constants,
} from "node:http2";
import type { Metadata } from "@grpc/grpc-js";
import type { EarlyAnswers } from "./early-answers.ts";

/** The gRPC status of a call. */
export interface CallStatus {
  /** The status of HTTP; by default 200, as for every call of gRPC. */
  readonly httpStatus?: number;
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata | undefined;
}

// Bytes. Some messages repeat what the caller sent: grpc-js's for an unknown method, and that of the health service for
// an unknown service. They could make trailers longer than any peer accepts, and nghttp2 would then send none at all.
const MAX_GRPC_MESSAGE = 1024;

/** The compression that the server accepts. Without this header, grpc-js announces gzip and deflate. */
const ACCEPT_ENCODING = { "grpc-accept-encoding": "identity" };

/** Bounds the headers with which grpc-js answers on a stream. Does nothing if Coffer has answered already. */
export function boundHeaders(stream: ServerHttp2Stream, early: EarlyAnswers): void {
  const send = stream.respond.bind(stream);
  stream.respond = (headers: OutgoingHttpHeaders = {}, options?: ServerStreamResponseOptions) => {
    if (stream.headersSent) return;
    const message = headers["grpc-message"];
    const bounded = typeof message === "string" ? { "grpc-message": boundMessage(message) } : {};
    const respond = () => send({ ...headers, ...ACCEPT_ENCODING, ...bounded }, options);
    if (options?.endStream) early.answer(stream, respond);
    else respond();
  };
}

/**
 * Answers a call with a status and nothing else ("Trailers-Only" in gRPC over HTTP/2), even if its request is
 * incomplete.
 */
export function answerStatus(stream: ServerHttp2Stream, status: CallStatus, early: EarlyAnswers): void {
  early.answer(stream, () => sendStatus(stream, status));
}

/** As {@link answerStatus}, on a stream for which {@link boundHeaders} was called: its `respond` answers early. */
export function sendStatus(stream: ServerHttp2Stream, { httpStatus = 200, code, details, metadata }: CallStatus): void {
  const headers = {
    ":status": httpStatus,
    "content-type": "application/grpc+proto",
    "grpc-status": code,
    "grpc-message": boundMessage(encodeURI(details)),
    ...ACCEPT_ENCODING,
    ...metadata?.toHttp2Headers(),
  };
  stream.respond(headers, { endStream: true });
}

const RESPONSE = { ":status": 200, "content-type": "application/grpc+proto", ...ACCEPT_ENCODING };
const WITH_TRAILERS = { waitForTrailers: true };
const SUCCESS = { "grpc-status": "0" };

/** Answers a call whose request was read completely with one framed message, and overwrites the message's bytes. */
export function answerMessage(stream: ServerHttp2Stream, framed: Buffer): void {
  const wipe = () => {
    framed.fill(0);
  };
  if (stream.destroyed || stream.closed || stream.headersSent) {
    wipe();
    return;
  }
  stream.respond(RESPONSE, WITH_TRAILERS);
  stream.on("wantTrailers", sendSuccess);
  // Called after the session has passed the message to its socket, and also if the stream fails before.
  stream.end(framed, wipe);
}

/** Begins an answer of any number of messages. `status` returns the status that follows the last one. */
export function beginMessages(stream: ServerHttp2Stream, status: () => CallStatus): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond(RESPONSE, WITH_TRAILERS);
  stream.on("wantTrailers", () => {
    const { code, details, metadata } = status();
    const message = boundMessage(encodeURI(details));
    stream.sendTrailers({ "grpc-status": code, "grpc-message": message, ...metadata?.toHttp2Headers() });
  });
}

function sendSuccess(this: ServerHttp2Stream): void {
  this.sendTrailers(SUCCESS);
}

/** Cancels a call if the caller has not read the whole answer. A stream without pending output stays open. */
export function cancelUnread(stream: ServerHttp2Stream): void {
  const isUnread = stream.headersSent && (stream.writableLength > 0 || stream.writableEnded);
  if (isUnread) stream.close(constants.NGHTTP2_CANCEL);
}

/** Truncates a message, but not in the middle of a percent-encoded character. */
function boundMessage(message: string): string {
  if (message.length <= MAX_GRPC_MESSAGE) return message;
  return message.slice(0, MAX_GRPC_MESSAGE).replace(/(%[0-9A-F]{0,2})*$/i, "");
}
