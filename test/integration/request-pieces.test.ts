import assert from "node:assert/strict";
import { constants } from "node:http2";
import { after, before, describe, it } from "node:test";
import { type TLSSocket, connect } from "node:tls";
import { OPENING } from "../../bench/link.ts";
import { FrameSplitter, FrameFlag, FrameType, frame } from "../../bench/frame.ts";
import { grpcMessage, requestHeaders } from "../../bench/request.ts";
import { putRequest } from "../../src/contract/messages.ts";
import { accessTo } from "../support/bare-call.ts";
import { nextEvent } from "../support/next-event.ts";
import { ADMIN, ServerKit } from "../support/server-kit.ts";

let kit: ServerKit;

before(async () => {
  kit = await ServerKit.start();
});

after(() => kit.stop());

const PUT = "/coffer.v1.Secrets/Put";

/** How the server ends stream 1: with a status in headers or trailers, or with the error code of a RST_STREAM. */
type End = { readonly kind: "answered" } | { readonly kind: "reset"; readonly code: number };

/**
 * Makes one call with its body in these DATA frames. Resolves to the first end of its stream, or the first of this
 * `kind`.
 */
async function called(path: string, pieces: readonly Buffer[], isLast: boolean, kind?: End["kind"]): Promise<End> {
  const socket = connect({
    ...accessTo(kit, ADMIN),
    host: "127.0.0.1",
    servername: "localhost",
    ALPNProtocols: ["h2"],
  });
  socket.on("error", () => {});
  const end = endOf(socket, kind);
  const headers = frame(FrameType.headers, FrameFlag.endHeaders, 1, requestHeaders("localhost", path));
  const flags = (n: number) => (isLast && n === pieces.length - 1 ? FrameFlag.endStream : FrameFlag.none);
  socket.write(Buffer.concat([OPENING, headers, ...pieces.map((each, n) => frame(FrameType.data, flags(n), 1, each))]));
  const result = await end;
  socket.destroy();
  return result;
}

async function endOf(socket: TLSSocket, kind: End["kind"] | undefined): Promise<End> {
  const cutter = new FrameSplitter();
  let end: End | undefined;
  while (end === undefined) {
    const [chunk] = (await nextEvent(socket, "data")) as [Buffer];
    cutter.push(chunk, ({ type, flags, payload }) => {
      const isTrailer = type === FrameType.headers && (flags & FrameFlag.endStream) !== 0;
      if (isTrailer && kind !== "reset") end ??= { kind: "answered" };
      if (type === FrameType.resetStream) end ??= { kind: "reset", code: payload.readUInt32BE(0) };
    });
  }
  return end;
}

function put(size: number): Buffer {
  const data = [{ key: "k", value: Buffer.alloc(size, "a") }];
  return grpcMessage(
    putRequest.encode(putRequest.of({ path: "a/b", data, binaryData: [], expectedVersion: undefined })),
  );
}

function cut(whole: Buffer, size: number): Buffer[] {
  const count = Math.ceil(whole.length / size);
  return Array.from({ length: count }, (_, n) => whole.subarray(n * size, (n + 1) * size));
}

// While a DATA frame waits, it occupies about 200 bytes in addition to its payload, and it retains the buffer of the
// read that it arrived with. Budgets count only payload bytes.
describe("a request in many DATA frames", () => {
  it("is served if the frames have a size that clients use", async () => {
    assert.deepEqual(await called(PUT, cut(put(60_000), 1024), true), { kind: "answered" });
  });

  it("is served if it is small, even with one byte in each frame", async () => {
    assert.deepEqual(await called(PUT, cut(put(20), 1), true), { kind: "answered" });
  });

  for (const path of [
    PUT,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.health.v1.Health/Check",
  ]) {
    it(`is reset if the frames have one byte each: ${path}`, async () => {
      const end = await called(path, cut(put(4000), 1), false);
      assert.deepEqual(end, { kind: "reset", code: constants.NGHTTP2_ENHANCE_YOUR_CALM });
    });
  }
});

// The bytes after the message are refused before the request has ended. Without a reset, the client would send the rest
// of it.
it("resets a stream that was answered before its request ended, so that the client stops sending", async () => {
  const whole = put(20);
  const pieces = [whole.subarray(0, 9), whole.subarray(9), Buffer.alloc(16_000, "A")];
  assert.deepEqual(await called(PUT, pieces, false, "reset"), { kind: "reset", code: constants.NGHTTP2_NO_ERROR });
});
