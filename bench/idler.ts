import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type SecureClientSessionOptions, connect } from "node:http2";
import { getRequest } from "../src/contract/messages.ts";
import type { Idling } from "./idlers.ts";
import { grpcMessage, secretPath } from "./request.ts";

// A process of clients that have made one call and then keep their connections: it takes its orders from its parent, and
// says when all of them are idle. They leave when the process is ended.

/** Connections that are opened at a time. */
const AT_A_TIME = 25;

const HEADERS = {
  ":method": "POST",
  ":path": "/coffer.v1.Secrets/Get",
  "content-type": "application/grpc",
  te: "trailers",
};
const REQUEST = grpcMessage(getRequest.encode({ path: secretPath(0), version: 0 }));

process.once("disconnect", () => process.exit());
process.once("message", async ({ target, connections }: Idling) => {
  const credentials = {
    ca: readFileSync(target.bundle),
    cert: readFileSync(target.cert),
    key: readFileSync(target.key),
    servername: "localhost",
  };
  const open = () => callOnce(`https://127.0.0.1:${target.port}`, credentials);
  for (let begun = 0; begun < connections; begun += AT_A_TIME) {
    await Promise.all(Array.from({ length: Math.min(AT_A_TIME, connections - begun) }, open));
  }
  process.send!("idle");
});

/** Resolves when the call was answered; a connection that breaks ends the process. */
function callOnce(url: string, credentials: SecureClientSessionOptions): Promise<ClientHttp2Session> {
  const session = connect(url, credentials);
  session.on("close", () => process.exit(1));
  return new Promise((resolve) => {
    const stream = session.request(HEADERS);
    stream.once("trailers", ({ "grpc-status": status }) => {
      if (status !== "0") process.exit(1);
    });
    stream.once("close", () => resolve(session));
    stream.resume();
    stream.end(REQUEST);
  });
}
