import assert from "node:assert/strict";
import { once } from "node:events";
import { constants } from "node:http2";
import { after, before, describe, it } from "node:test";
import { connect } from "node:tls";
import { FrameFlag, FrameType, frame } from "../../bench/frame.ts";
import { RequestTemplate, requestHeaders } from "../../bench/request.ts";
import { BROKEN } from "../../bench/attack-frames.ts";
import { OPENING } from "../../bench/link.ts";
import { nextEvent } from "../support/next-event.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";

const site = new Site();
let server: ServerProcess;

before(async () => {
  server = await site.start();
});

after(() => site.remove());

/** A complete Get, as HEADERS and DATA on stream 1. */
function call(): Buffer {
  const template = new RequestTemplate("coffer", "get", "localhost");
  const bytes = Buffer.alloc(template.size);
  template.write(bytes, 0, 1, 0);
  return bytes;
}

/** The HEADERS of that Get with END_STREAM. The server refuses the call, because it has no message. */
function emptyCall(): Buffer {
  const headers = call().subarray(0, 9 + call().readUIntBE(0, 3));
  headers[4] = FrameFlag.endHeaders | FrameFlag.endStream;
  return headers;
}

/** A Get without its message: HEADERS, and DATA with only the five bytes that precede a gRPC message. */
function unfinishedCall(): Buffer {
  const headers = 9 + call().readUIntBE(0, 3);
  const prefix = call().subarray(headers + 9, headers + 9 + 5);
  return Buffer.concat([call().subarray(0, headers), frame(FrameType.data, FrameFlag.none, 1, prefix)]);
}

const CALLS = { "a call": call(), "a call without a body": emptyCall(), "an unfinished call": unfinishedCall() };

/** A GOAWAY with the last stream 0 and the error code 2, INTERNAL_ERROR (RFC 9113 6.8). */
const GOAWAY_WITH_ERROR = frame(FrameType.goAway, FrameFlag.none, 0, Buffer.from("0000000000000002", "hex"));

const ENDS: Readonly<Record<string, Buffer>> = {
  "a GOAWAY with an error code": GOAWAY_WITH_ERROR,
  "a GOAWAY without an error code": frame(FrameType.goAway, FrameFlag.none, 0, Buffer.alloc(8)),
  "an answer to a PING that was not sent": frame(FrameType.ping, FrameFlag.ack, 0, Buffer.alloc(8)),
  "DATA on stream 0": BROKEN[0]!,
  "headers that HPACK can't decode": onStream3(BROKEN[1]!),
  "a frame that is too long": onStream3(BROKEN[2]!),
  "a WINDOW_UPDATE beyond the largest window": frame(
    FrameType.windowUpdate,
    FrameFlag.none,
    0,
    Buffer.from("7fffffff", "hex"),
  ),
};

/** Moves a frame from stream 1, which the call uses, to stream 3. */
function onStream3(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt32BE(3, 5);
  return copy;
}

/** Sends all bytes in one TLS record, and waits until the server has closed the connection or the process has ended. */
async function send(...frames: readonly Buffer[]): Promise<void> {
  const socket = connect({ ...site.clientTls, host: "127.0.0.1", port: server.port, servername: "localhost" });
  socket.on("error", () => {});
  await nextEvent(socket, "data");
  socket.resume().write(Buffer.concat([OPENING, ...frames]));
  socket.end();
  if (!socket.closed) await once(socket, "close");
}

// Each of these sessions ends while node:http2 still processes the bytes that arrived with the frame that ends it. One
// of its streams may have failed before the server sees its call, or may never get a JavaScript object. Both cases once
// ended the process, and any caller with a valid SVID could cause them.
describe("a session that ends before all received bytes are processed", () => {
  for (const [what, bytes] of Object.entries(CALLS)) {
    for (const [end, frames] of Object.entries(ENDS)) {
      it(`does not end the process: ${what} before and after ${end}`, async () => {
        await send(bytes, frames);
        await send(frames, bytes);
        const caller = site.caller(server);
        const { code } = await caller.call("Get", { path: "a/b" });
        caller.close();
        assert.equal(code, "NOT_FOUND");
        assert.equal(server.isGone, false, server.stderr);
      });
    }
  }
});

// The server sees the headers of a stream after it has processed all bytes that arrived with them. An answer to a stream
// that is closed by then throws, and grpc-js answers an unknown method at once.
describe("a call that is reset in the bytes that contain its headers", () => {
  const paths = ["/coffer.v1.Secrets/Get", "/grpc.health.v1.Health/Check", "/no.such/Method"];
  const reset = (code: number) => frame(FrameType.resetStream, FrameFlag.none, 1, Buffer.of(0, 0, 0, code));
  const bytes = Array.from({ length: 100 }, () => frame(FrameType.data, FrameFlag.none, 1, Buffer.alloc(1)));
  const resets = {
    "with NO_ERROR": [reset(constants.NGHTTP2_NO_ERROR)],
    "with CANCEL": [reset(constants.NGHTTP2_CANCEL)],
    "by the server, for frames of one byte": bytes,
  };

  for (const path of paths) {
    for (const [how, frames] of Object.entries(resets)) {
      it(`does not end the process: ${path}, ${how}`, async () => {
        const headers = frame(FrameType.headers, FrameFlag.endHeaders, 1, requestHeaders("localhost", path));
        await send(headers, ...frames);
        const caller = site.caller(server);
        const { code } = await caller.call("Get", { path: "a/b" });
        caller.close();
        assert.equal(code, "NOT_FOUND");
        assert.equal(server.isGone, false, server.stderr);
      });
    }
  }
});
