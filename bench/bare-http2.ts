import { readFileSync } from "node:fs";
import { type ServerHttp2Stream, createSecureServer } from "node:http2";
import { parseArgs } from "node:util";
import { getResponse } from "../src/contract/messages.ts";
import { VALUE_BYTES, VALUE_KEY, grpcMessage, secretPath } from "./request.ts";

/**
 * A server that shows the lower bound of the cost of a call: node:http2 and nothing else. It answers every request with
 * the same bytes, so its cost is that of TLS, HTTP/2 and the event loop.
 */
const { values } = parseArgs({
  options: { port: { type: "string" }, cert: { type: "string" }, key: { type: "string" }, bundle: { type: "string" } },
});

const REPLY = grpcMessage(
  getResponse.encode(
    getResponse.of({
      path: secretPath(0),
      version: 1,
      data: [{ key: VALUE_KEY, value: Buffer.alloc(VALUE_BYTES, "x") }],
      binaryData: [],
      createTime: Date.UTC(2026, 0, 1),
      revision: 1,
    }),
  ),
);

const server = createSecureServer({
  cert: readFileSync(values.cert!),
  key: readFileSync(values.key!),
  ca: readFileSync(values.bundle!),
  requestCert: true,
  minVersion: "TLSv1.3",
});
server.on("stream", (stream: ServerHttp2Stream) => {
  stream.on("error", () => {}); // the client disconnected
  stream.resume();
  stream.once("end", () => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(REPLY);
  });
});
server.listen(Number(values.port), "127.0.0.1");
