import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";

/** Opens grpc.health.v1.Health/Watch for the whole server. The stream stays open until its connection ends. */
export function watchHealth(session: ClientHttp2Session): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Watch",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  // An empty message after its five bytes of framing.
  stream.end(Buffer.alloc(5));
  return stream;
}
