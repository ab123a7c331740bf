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

/** Where a caller connects, always on 127.0.0.1, and the identity that it has there. All but the port is PEM. */
export interface Access {
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** The access that the files of a target give. */
export function accessOf({ port, bundle, cert, key }: Target): Access {
  const read = (file: string) => readFileSync(file, "utf8");
  return { port, ca: read(bundle), cert: read(cert), key: read(key) };
}

/** An HTTP/2 connection. A call can begin at once; a connection that fails ends the calls on it, and throws nothing. */
export function openSession(access: Access, options: SecureClientSessionOptions = {}): ClientHttp2Session {
  const { port, ...identity } = access;
  return connect(`https://127.0.0.1:${port}`, { ...identity, servername: "localhost", ...options }).on(
    "error",
    () => {},
  );
}

/** Begins a gRPC call. The stream's errors are ignored: each of them is followed by "close". */
export function beginCall(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const fixed = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  return session.request({ ...fixed, ...headers }).on("error", () => {});
}

/** Makes a unary call. Never rejects: a connection that fails is an outcome as well. */
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
