import { once } from "node:events";
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  SecureClientSessionOptions,
} from "node:http2";
import { type Access, closedByReset, openSession } from "../../bench/access.ts";
import { DetailType, STATUS_DETAILS_TRAILER, errorInfo, retryInfo, status } from "../../src/contract/error-details.ts";
import { nextEvent } from "./next-event.ts";
import type { ServerKit } from "./server-kit.ts";

/** The result of a call as HTTP/2 shows it: headers that gRPC libraries hide, and how the stream ended. */
export interface BareAnswer {
  /** The grpc-status; undefined if the stream ended without one. */
  readonly code: number | undefined;
  readonly message: string;
  /** From google.rpc.ErrorInfo. */
  readonly reason: string | undefined;
  /** From google.rpc.RetryInfo, in milliseconds. */
  readonly retryDelay: number | undefined;
  readonly headers: IncomingHttpHeaders;
  /** The messages, with their prefixes. */
  readonly body: Buffer;
  /** The error code that closed the stream (RFC 9113 7). */
  readonly resetCode: number;
}

/** What a caller needs to connect to a kit's server by TLS. */
export function accessTo(kit: ServerKit, id: string): Access {
  const { certPem: cert, keyPem: key } = kit.issue({ id });
  const port = kit.address.kind === "tcp" ? kit.address.port : 0;
  return { port, ca: kit.ca.bundlePem, cert, key };
}

/** Connects as a caller with this SPIFFE ID. Resolves after the server's first frame. */
export async function sessionOf(
  kit: ServerKit,
  id: string,
  options: SecureClientSessionOptions = {},
): Promise<ClientHttp2Session> {
  const session = openSession(accessTo(kit, id), options);
  await nextEvent(session, "remoteSettings");
  return session;
}

/** Reads the response to its end. */
export async function answerOf(stream: ClientHttp2Stream): Promise<BareAnswer> {
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on("response", (received) => (headers = received));
  stream.on("trailers", (received) => (trailers = received));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!closedByReset(stream).destroyed) await once(stream, "close");
  const end = trailers["grpc-status"] === undefined ? headers : trailers;
  const code = end["grpc-status"] === undefined ? undefined : Number(end["grpc-status"]);
  const message = decodeURIComponent(String(end["grpc-message"] ?? ""));
  return { code, message, ...detailsOf(end), headers, body: Buffer.concat(chunks), resetCode: stream.rstCode };
}

function detailsOf(end: IncomingHttpHeaders): Pick<BareAnswer, "reason" | "retryDelay"> {
  const trailer = end[STATUS_DETAILS_TRAILER];
  const { details } = status.decode(Buffer.from(String(trailer ?? ""), "base64"));
  const find = (type: string) => details.find(({ typeUrl }) => typeUrl === type)?.value;
  const [info, retry] = [find(DetailType.errorInfo), find(DetailType.retryInfo)];
  return {
    reason: info && errorInfo.decode(info).reason,
    retryDelay: retry && retryInfo.decode(retry).retryDelay,
  };
}
