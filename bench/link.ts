import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type TLSSocket, connect } from "node:tls";
import { type Frame, FrameSplitter, FrameFlag, FrameType, frame } from "./frame.ts";
import { StatusReader } from "./hpack.ts";
import type { Target } from "./job.ts";
import type { Outcome } from "./meter.ts";

/** Receives what a server sends. A method that throws ends the connection with its error. */
export interface LinkListener {
  /** A part of an answer. It is valid only during the call. */
  data(streamId: number, payload: Buffer): void;
  /** A stream has ended. */
  ended(streamId: number, outcome: Outcome): void;
  /** A setting of the server (RFC 9113, section 6.5.2). */
  setting(id: number, value: number): void;
  /** The server never answers streams above `last`. */
  goAway(last: number): void;
  /** Everything that has arrived so far was processed. */
  processed(): void;
}

/**
 * An HTTP/2 connection over TLS 1.3 that reads only the necessary parts of gRPC answers. A client of node:http2 uses a whole
 * core at the rate of a bare server, and would limit the result; its garbage collector also delays what it measures. Padding
 * and continued headers, which the measured servers never send, are errors, so that no frame is misread silently.
 */
export class Link {
  readonly #socket: TLSSocket;
  readonly #listener: LinkListener;
  readonly #cutter = new FrameSplitter();
  readonly #statuses = new StatusReader();
  #sendWindow = DEFAULT_WINDOW;
  #received = 0;
  /** By frame type. This client ignores all other frames. */
  readonly #handlers: Readonly<Record<number, (frame: Frame) => void>> = {
    [FrameType.data]: (frame) => this.#takeData(frame),
    [FrameType.headers]: (frame) => this.#takeHeaders(frame),
    [FrameType.resetStream]: ({ streamId, payload }) =>
      this.#listener.ended(streamId, failure(`RST_STREAM ${payload.readUInt32BE(0)}`)),
    [FrameType.settings]: (frame) => this.#takeSettings(frame),
    [FrameType.ping]: (frame) => this.#answerPing(frame),
    [FrameType.goAway]: ({ payload }) => this.#listener.goAway(payload.readUInt32BE(0) & 0x7fff_ffff),
    [FrameType.windowUpdate]: (frame) => this.#takeWindowUpdate(frame),
    [FrameType.continuation]: () => refuse("a header block in two frames"),
  };

  /** The connection of an open socket. It begins with {@link start}. */
  constructor(socket: TLSSocket, listener: LinkListener) {
    this.#socket = socket;
    this.#listener = listener;
  }

  /** Begins to read. `ended` receives the error with which the connection ends; {@link close} also ends it. */
  start(ended: (error: Error) => void): void {
    this.#socket.once("error", ended);
    this.#socket.once("close", () => ended(new Error("the server closed the connection with calls in flight")));
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.write(OPENING);
  }

  /** The bytes of DATA frames that the server accepts at present on the whole connection. */
  get sendWindow(): number {
    return this.#sendWindow;
  }

  /** Sends frames, `flowControlled` bytes of which are payloads of DATA frames. */
  write(frames: Buffer, flowControlled: number): void {
    this.#sendWindow -= flowControlled;
    this.#socket.write(frames);
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      this.#cutter.push(chunk, (frame) => this.#handlers[frame.type]?.(frame));
      this.#listener.processed();
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  }

  #takeData({ flags, streamId, payload }: Frame): void {
    refuseFlags(flags, FrameFlag.padded);
    this.#listener.data(streamId, payload);
    if (flags & FrameFlag.endStream) this.#listener.ended(streamId, failure("no trailers"));
    this.#received += payload.length;
    if (this.#received < LARGEST_WINDOW / 2) return;
    this.#socket.write(windowUpdate(this.#received));
    this.#received = 0;
  }

  #takeHeaders({ flags, streamId, payload }: Frame): void {
    refuseFlags(flags, FrameFlag.padded | FrameFlag.priority);
    const status = this.#statuses.read(payload);
    if (flags & FrameFlag.endStream) this.#listener.ended(streamId, outcomeOf(status));
  }

  #takeSettings({ flags, payload }: Frame): void {
    if (flags & FrameFlag.ack) return;
    for (let offset = 0; offset < payload.length; offset += 6)
      this.#listener.setting(payload.readUInt16BE(offset), payload.readUInt32BE(offset + 2));
    this.#socket.write(frame(FrameType.settings, FrameFlag.ack, 0, Buffer.alloc(0)));
  }

  /** Ignores the windows of streams: each stream carries one request, which fits into the initial window. */
  #takeWindowUpdate({ streamId, payload }: Frame): void {
    if (streamId === 0) this.#sendWindow += payload.readUInt32BE(0);
  }

  #answerPing({ flags, payload }: Frame): void {
    if (!(flags & FrameFlag.ack)) this.#socket.write(frame(FrameType.ping, FrameFlag.ack, 0, Buffer.from(payload)));
  }
}

/** Connects to a server and performs the TLS handshake. */
export async function openSocket({ port, cert, key, bundle }: Target): Promise<TLSSocket> {
  const socket = connect({
    host: "127.0.0.1",
    port,
    servername: "localhost",
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    cert: readFileSync(cert),
    key: readFileSync(key),
    ca: readFileSync(bundle),
  });
  socket.setNoDelay(true);
  await once(socket, "secureConnect");
  return socket;
}

export const Setting = { enablePush: 2, maxConcurrentStreams: 3, initialWindowSize: 4 } as const;
const DEFAULT_WINDOW = 65_535;
const LARGEST_WINDOW = 2 ** 31 - 1;

/** The preface, SETTINGS and WINDOW_UPDATE, with windows so large that no server waits for this client. */
export const OPENING = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(
    FrameType.settings,
    FrameFlag.none,
    0,
    Buffer.concat([setting(Setting.enablePush, 0), setting(Setting.initialWindowSize, LARGEST_WINDOW)]),
  ),
  windowUpdate(LARGEST_WINDOW - DEFAULT_WINDOW),
]);

/** The outcome of a call that has failed. */
export function failure(what: string): Outcome {
  return { kind: "error", what };
}

function outcomeOf(status: number | undefined): Outcome {
  if (status === 0) return { kind: "ok" };
  return failure(status === undefined ? "no grpc-status" : `grpc-status ${status}`);
}

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

function windowUpdate(increment: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(increment, 0);
  return frame(FrameType.windowUpdate, FrameFlag.none, 0, payload);
}

function refuseFlags(flags: number, refused: number): void {
  if (flags & refused) refuse(`a frame with the flags ${flags}`);
}

function refuse(what: string): never {
  throw new Error(`the server sent ${what}, which this client does not support`);
}
