import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type SecureClientSessionOptions, connect } from "node:http2";
import { getRequest } from "../src/contract/messages.ts";
import { beginCall } from "./access.ts";
import type { IdleJob } from "./idle-clients.ts";
import { grpcMessage, secretPath } from "./request.ts";
import { MessageSplitter } from "./message-splitter.ts";
import { watchCall } from "./watch-stream.ts";

// A process of clients that make one call each and keep their connections. It receives its job from the parent, and
// reports when all of them are idle. It ends when the parent disconnects.

/** The number of connections that are opened at a time. */
const AT_A_TIME = 25;

const HEADERS = {
  ":method": "POST",
  ":path": "/coffer.v1.Secrets/Get",
  "content-type": "application/grpc",
  te: "trailers",
};
const REQUEST = grpcMessage(getRequest.encode(getRequest.of({ path: secretPath(0), version: 0 })));

process.once("disconnect", () => process.exit());
process.once("message", async ({ target, connections, areWatching = false }: IdleJob) => {
  const credentials = {
    ca: readFileSync(target.bundle),
    cert: readFileSync(target.cert),
    key: readFileSync(target.key),
    servername: "localhost",
  };
  const open = async (n: number) => {
    const session = await callOnce(`https://127.0.0.1:${target.port}`, credentials);
    if (areWatching) await beginWatch(session, secretPath(n));
  };
  for (let started = 0; started < connections; started += AT_A_TIME) {
    const numbers = Array.from({ length: Math.min(AT_A_TIME, connections - started) }, (_, i) => started + i);
    await Promise.all(numbers.map(open));
  }
  process.send!("idle");
});

/** Resolves when the call is answered. A connection that fails ends the process. */
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

/** Resolves when the watch of a path is in sync. */
function beginWatch(session: ClientHttp2Session, path: string): Promise<void> {
  return new Promise((onSynced) => {
    const { method, request, onMessage } = watchCall("coffer", path, { onSynced, onChange: () => {} });
    const stream = beginCall(session, method);
    const messages = new MessageSplitter();
    stream.once("close", () => process.exit(1));
    stream.on("data", (chunk: Buffer) => messages.push(chunk, onMessage));
    stream.end(grpcMessage(request));
  });
}
