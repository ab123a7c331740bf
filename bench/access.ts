import { readFileSync } from "node:fs";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
  connect,
} from "node:http2";
import type { Target } from "./job.ts";
import type { Outcome } from "./meter.ts";

/** The port that a client connects to, on 127.0.0.1, and its identity. All fields but the port are PEM. */
export interface Access {
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Reads the files of a target. */
export function accessOf({ port, bundle, cert, key }: Target): Access {
  const read = (file: string) => readFileSync(file, "utf8");
  return { port, ca: read(bundle), cert: read(cert), key: read(key) };
}

/**
 * Opens an HTTP/2 connection. A call can start immediately. A connection that fails ends its calls and throws nothing.
 */
export function openSession(access: Access, options: SecureClientSessionOptions = {}): ClientHttp2Session {
  const { port, ...identity } = access;
  return connect(`https://127.0.0.1:${port}`, { ...identity, servername: "localhost", ...options }).on(
    "error",
    () => {},
  );
}

/**
 * Starts a gRPC call. Its stream emits "close" however the call ends, once the answer was read. It ignores the stream's
 * errors: "close" follows each of them.
 */
export function beginCall(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const fixed = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  return closedByReset(session.request({ ...fixed, ...headers })).on("error", () => {});
}

/**
 * Destroys a stream that its server resets with NO_ERROR. Before Node 26, node:http2 would keep such a stream until all of the
 * request is sent, which the reset prevents, and "close" would not be emitted before the connection ends.
 */
export function closedByReset(stream: ClientHttp2Stream): ClientHttp2Stream {
  return stream.once("end", () => {
    if (stream.closed) stream.destroy();
  });
}

/** Makes a unary call. Never rejects: a failed connection is an outcome too. */
export function callOnce(session: ClientHttp2Session, path: string, message: Buffer): Promise<Outcome> {
  return new Promise((resolve) => {
    const stream = beginCall(session, path);
    let outcome: Outcome = { kind: "error", what: "no grpc-status" };
    const read = ({ "grpc-status": status }: { readonly "grpc-status"?: unknown }) => {
      if (status !== undefined)
        outcome = status === "0" ? { kind: "ok" } : { kind: "error", what: `grpc-status ${status}` };
    };
    stream.on("response", read).on("trailers", read);
    stream.once("error", ({ code }: NodeJS.ErrnoException) => {
      outcome = { kind: "error", what: code ?? "a broken stream" };
    });
    stream.once("close", () => resolve(outcome));
    stream.resume().end(message);
  });
}
