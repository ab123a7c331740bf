import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type TLSSocket, connect } from "node:tls";
import { type Frame, FrameSplitter, FrameFlag, FrameType, frame } from "./frame.ts";
import { StatusReader } from "./hpack.ts";
import type { Target } from "./job.ts";
import type { Outcome } from "./meter.ts";
import type { RequestTemplate } from "./request.ts";

/** The calls that a connection makes. */
export interface Work {
  readonly template: RequestTemplate;
  /** Calls in flight. */
  readonly inFlight: number;
  /** The number of the secret in the next call; undefined after the last call. */
  next(): number | undefined;
  /** Receives the outcome of a call. `startedAt`, a time of performance.now(), is its start. */
  ended(outcome: Outcome, startedAt: number): void;
}

/**
 * One HTTP/2 connection over TLS 1.3 that makes gRPC calls and reads only the necessary parts of the answers. A client
 * of node:http2 uses a whole core at the rate of a bare server, and would limit the result. Padding and continued
 * headers, which the measured servers never send, are errors, so that no frame is misread silently.
 */
export class Connection {
  readonly #socket: TLSSocket;
  readonly #work: Work;
  readonly #cutter = new FrameSplitter();
  readonly #statuses = new StatusReader();
  readonly #calls = new Map<number, Call>();
  #nextStream = 1;
  #sendWindow = DEFAULT_WINDOW;
  #received = 0;
  /** Whether no further call may start: there is none, or the server sent GOAWAY, or the stream ids are used up. */
  #closing = false;
  #finish: () => void = () => {};
  /** By frame type. This client ignores all other frames. */
  readonly #handlers: Readonly<Record<number, (frame: Frame) => void>> = {
    [FrameType.data]: (frame) => this.#takeData(frame),
    [FrameType.headers]: (frame) => this.#takeHeaders(frame),
    [FrameType.resetStream]: ({ streamId, payload }) =>
      this.#end(streamId, error(`RST_STREAM ${payload.readUInt32BE(0)}`)),
    [FrameType.settings]: (frame) => this.#takeSettings(frame),
    [FrameType.ping]: (frame) => this.#answerPing(frame),
    [FrameType.goAway]: ({ payload }) => this.#takeGoAway(payload.readUInt32BE(0) & 0x7fff_ffff),
    [FrameType.windowUpdate]: (frame) => this.#takeWindowUpdate(frame),
    [FrameType.continuation]: () => refuse("a header block in two frames"),
  };

  private constructor(socket: TLSSocket, work: Work) {
    this.#socket = socket;
    this.#work = work;
  }

  /** Connects to the server and performs the TLS handshake. */
  static async open(target: Target, work: Work): Promise<Connection> {
    const socket = connect({
      host: "127.0.0.1",
      port: target.port,
      servername: "localhost",
      minVersion: "TLSv1.3",
      ALPNProtocols: ["h2"],
      cert: readFileSync(target.cert),
      key: readFileSync(target.key),
      ca: readFileSync(target.bundle),
    });
    socket.setNoDelay(true);
    await once(socket, "secureConnect");
    return new Connection(socket, work);
  }

  /** Makes calls until the last one, or until the server sends GOAWAY. Rejects if the connection fails. */
  async run(): Promise<void> {
    const finished = new Promise<void>((resolve, reject) => {
      this.#finish = resolve;
      this.#socket.once("error", reject);
      this.#socket.once("close", () => reject(new Error("the server closed the connection with calls in flight")));
      this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    });
    this.#socket.write(OPENING);
    this.#send();
    await finished;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      this.#cutter.push(chunk, (frame) => this.#handlers[frame.type]?.(frame));
      this.#send();
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  }

  /** Starts as many calls as the limits allow, in one write. */
  #send(): void {
    const { template } = this.#work;
    const numbers = this.#pull(Math.floor(this.#sendWindow / template.flowControlled));
    if (numbers.length > 0) this.#socket.write(this.#begin(numbers));
    else if (this.#closing && this.#calls.size === 0) this.#finish();
  }

  #pull(fitInWindow: number): number[] {
    const numbers: number[] = [];
    while (!this.#closing && numbers.length < Math.min(fitInWindow, this.#work.inFlight - this.#calls.size)) {
      const n = this.#nextStream + 2 * numbers.length > LAST_STREAM ? undefined : this.#work.next();
      if (n === undefined) this.#closing = true;
      else numbers.push(n);
    }
    return numbers;
  }

  #begin(numbers: readonly number[]): Buffer {
    const { template } = this.#work;
    const bytes = Buffer.allocUnsafe(numbers.length * template.size);
    const startedAt = performance.now();
    let offset = 0;
    for (const n of numbers) {
      offset = template.write(bytes, offset, this.#nextStream, n);
      this.#calls.set(this.#nextStream, { startedAt, replyBytes: 0 });
      this.#nextStream += 2;
    }
    this.#sendWindow -= numbers.length * template.flowControlled;
    return bytes;
  }

  #takeData({ flags, streamId, payload }: Frame): void {
    refuseFlags(flags, FrameFlag.padded);
    const call = this.#calls.get(streamId);
    if (call !== undefined) call.replyBytes += payload.length;
    if (flags & FrameFlag.endStream) this.#end(streamId, error("no trailers"));
    this.#received += payload.length;
    if (this.#received < LARGEST_WINDOW / 2) return;
    this.#socket.write(windowUpdate(this.#received));
    this.#received = 0;
  }

  #takeHeaders({ flags, streamId, payload }: Frame): void {
    refuseFlags(flags, FrameFlag.padded | FrameFlag.priority);
    const status = this.#statuses.read(payload);
    if (flags & FrameFlag.endStream) this.#end(streamId, this.#outcome(streamId, status));
  }

  #outcome(streamId: number, status: number | undefined): Outcome {
    if (status !== 0) return error(status === undefined ? "no grpc-status" : `grpc-status ${status}`);
    const replyBytes = this.#calls.get(streamId)?.replyBytes ?? 0;
    return replyBytes < this.#work.template.leastReply ? error("a reply that is too short") : { kind: "ok" };
  }

  #end(streamId: number, outcome: Outcome): void {
    const call = this.#calls.get(streamId);
    if (call === undefined) return;
    this.#calls.delete(streamId);
    this.#work.ended(outcome, call.startedAt);
  }

  #takeSettings({ flags, payload }: Frame): void {
    if (flags & FrameFlag.ack) return;
    for (let offset = 0; offset < payload.length; offset += 6)
      this.#obey(payload.readUInt16BE(offset), payload.readUInt32BE(offset + 2));
    this.#socket.write(frame(FrameType.settings, FrameFlag.ack, 0, Buffer.alloc(0)));
  }

  /** Throws if a limit of the server is below the job's need, which would silently change the measurement. */
  #obey(setting: number, value: number): void {
    const { inFlight, template } = this.#work;
    if (setting === Setting.maxConcurrentStreams && value < inFlight)
      throw new Error(
        `the server allows ${value} calls in flight on a connection, fewer than the ${inFlight} of this run`,
      );
    if (setting === Setting.initialWindowSize && value < template.flowControlled)
      throw new Error(`the server's window of ${value} bytes is too small for one request`);
  }

  /** Ignores the windows of streams: each stream carries one request, which fits into the initial window. */
  #takeWindowUpdate({ streamId, payload }: Frame): void {
    if (streamId === 0) this.#sendWindow += payload.readUInt32BE(0);
  }

  #answerPing({ flags, payload }: Frame): void {
    if (!(flags & FrameFlag.ack)) this.#socket.write(frame(FrameType.ping, FrameFlag.ack, 0, Buffer.from(payload)));
  }

  /** The server never answers calls on streams above `last`. */
  #takeGoAway(last: number): void {
    this.#closing = true;
    for (const streamId of this.#calls.keys()) if (streamId > last) this.#end(streamId, error("GOAWAY"));
  }
}

interface Call {
  readonly startedAt: number;
  replyBytes: number;
}

const Setting = { enablePush: 2, maxConcurrentStreams: 3, initialWindowSize: 4 } as const;
const DEFAULT_WINDOW = 65_535;
const LARGEST_WINDOW = 2 ** 31 - 1;
const LAST_STREAM = 2 ** 31 - 1;

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

function error(what: string): Outcome {
  return { kind: "error", what };
}
