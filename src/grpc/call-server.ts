import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Server, type ServerOptions } from "@grpc/grpc-js";

/** The method with which grpc-js begins a call. It is private, so a test checks it with each release of grpc-js. */
interface StreamHandler {
  _streamHandler?(interceptors: readonly [], stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
}

/**
 * Uses grpc-js to answer single HTTP/2 streams of a session that Coffer owns. The public API of grpc-js gives no access
 * to the sessions that grpc-js owns. Without that access, Coffer could not send a GOAWAY in two steps, control the flow
 * across streams, or read a header before grpc-js acts on it.
 */
export class CallServer extends Server {
  constructor(options: ServerOptions) {
    super(options);
    if (handlerOf(this) === undefined) throw new Error("this release of grpc-js does not accept single HTTP/2 streams");
  }

  /** Answers the call on a stream whose headers have arrived. */
  answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    handlerOf(this)?.call(this, [], stream, headers);
  }
}

function handlerOf(server: Server): StreamHandler["_streamHandler"] {
  const handler = (server as unknown as StreamHandler)._streamHandler;
  return typeof handler === "function" ? handler : undefined;
}
