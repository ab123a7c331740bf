import assert from "node:assert/strict";
import { type ServerHttp2Session, performServerHandshake } from "node:http2";
import type { TLSSocket } from "node:tls";
import { Duplex } from "node:stream";
import { it } from "node:test";
import { FrameSplitter, FrameType } from "../../../bench/frame.ts";
import { OPENING } from "../../../bench/connection.ts";
import { SessionSocket } from "../../../src/grpc/session-socket.ts";

/** What the server writes, and a way to write to it, in place of a TLS socket. */
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

// What is received is overwritten: each test gives a copy.
/** Resolves when the server has written a frame of this type. */
async function written(wire: Wire, type: number): Promise<void> {
  while (!wire.frames.some((frame) => frame.type === type)) {
    await new Promise((resolve) => wire.once("written", resolve));
  }
}

// node:http2 wraps a stream that is no socket of Node's by its methods (JSStreamSocket, internal). An update of Node
// that asks more of it, or offers no performServerHandshake, fails here.
it("node:http2 reads and writes a SessionSocket (performServerHandshake, JSStreamSocket)", async () => {
  const { wire, session } = opened();
  const heard = new Promise((resolve) => session.once("remoteSettings", resolve));
  wire.push(Buffer.from(OPENING));
  await heard;
  await written(wire, FrameType.settings);
  session.destroy();
  await new Promise((resolve) => wire.once("close", resolve));
});

// nghttp2 never hears of it, so that it takes the streams that come after.
it("a shutdown is announced between two frames, and streams are taken after it", async () => {
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
