import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Server, type ServerOptions } from "@grpc/grpc-js";

/** How grpc-js begins a call. It is private, so a test holds each release of grpc-js to it. */
interface StreamHandler {
  _streamHandler?(interceptors: readonly [], stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
}

/**
 * grpc-js as the server of single calls: it gets an HTTP/2 stream and answers it. It never sees the session, because its
 * public API gives no access to one: without that there is no GOAWAY in two steps, no flow control across streams, and
 * no look at a header before grpc-js has acted on it.
 */
export class CallServer extends Server {
  constructor(options: ServerOptions) {
    super(options);
    if (handlerOf(this) === undefined) throw new Error("this release of grpc-js does not accept single HTTP/2 streams");
  }

  /** Answers the call of a stream whose headers have come. */
  answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    handlerOf(this)?.call(this, [], stream, headers);
  }
}

function handlerOf(server: Server): StreamHandler["_streamHandler"] {
  const handler = (server as unknown as StreamHandler)._streamHandler;
  return typeof handler === "function" ? handler : undefined;
}
