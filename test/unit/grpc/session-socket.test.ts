import assert from "node:assert/strict";
import { type ServerHttp2Session, performServerHandshake } from "node:http2";
import type { TLSSocket } from "node:tls";
import { Duplex } from "node:stream";
import { it } from "node:test";
import { FrameSplitter, FrameType } from "../../../bench/frame.ts";
import { OPENING } from "../../../bench/link.ts";
import { SessionSocket } from "../../../src/grpc/session-socket.ts";

/** Takes the place of a TLS socket: records the frames that the server writes, and delivers bytes to it. */
class Wire extends Duplex {
  readonly frames: { readonly type: number; readonly payload: Buffer }[] = [];
  readonly #cutter = new FrameSplitter();

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#cutter.push(chunk, ({ type, payload }) => this.frames.push({ type, payload: Buffer.from(payload) }));
    this.emit("written");
    done();
  }
}

function opened(): { wire: Wire; socket: SessionSocket; session: ServerHttp2Session } {
  const wire = new Wire();
  const socket = new SessionSocket(wire as unknown as TLSSocket);
  const session = performServerHandshake(socket.stream);
  session.on("error", () => {});
  return { wire, socket, session };
}

/** Resolves when the server has written a frame of this type. */
async function written(wire: Wire, type: number): Promise<void> {
  while (!wire.frames.some((frame) => frame.type === type)) {
    await new Promise((resolve) => wire.once("written", resolve));
  }
}

// node:http2 wraps a stream that is not one of Node's sockets, and calls its methods (JSStreamSocket, internal). This
// test fails when an update of Node needs more methods or has no performServerHandshake.
it("node:http2 reads and writes a SessionSocket (performServerHandshake, JSStreamSocket)", async () => {
  const { wire, session } = opened();
  const settled = new Promise((resolve) => session.once("remoteSettings", resolve));
  // A copy, because the socket overwrites what it receives.
  wire.push(Buffer.from(OPENING));
  await settled;
  await written(wire, FrameType.settings);
  session.destroy();
  await new Promise((resolve) => wire.once("close", resolve));
});

// nghttp2 does not know of this GOAWAY, so it accepts the streams that begin after it.
it("a SessionSocket announces a shutdown between two frames, and the session stays open", async () => {
  const { wire, socket, session } = opened();
  wire.push(Buffer.from(OPENING));
  await written(wire, FrameType.settings);
  socket.announceShutdown();
  await written(wire, FrameType.goAway);
  const { payload } = wire.frames.find(({ type }) => type === FrameType.goAway)!;
  assert.equal(payload.readUInt32BE(0), 2 ** 31 - 1);
  assert.equal(payload.readUInt32BE(4), 0);
  assert.equal(session.closed, false);
  session.destroy();
});
