import { FrameFlag, FrameType, frame } from "./frame.ts";
import type { Target } from "./job.ts";
import { Link, type LinkListener, failure, openSocket } from "./link.ts";
import type { Outcome } from "./meter.ts";
import { MessageSplitter } from "./message-splitter.ts";
import { grpcMessage, requestHeaders } from "./request.ts";

/** A call with one request and any number of messages in its answer. */
export interface StreamCall {
  /** The method's path. */
  readonly method: string;
  readonly request: Buffer;
  /** Whether the stream of requests stays open. Default: it ends with the request. */
  readonly staysOpen?: boolean;
  /** Receives each message of the answer. The bytes are valid only during the call. */
  readonly onMessage?: (message: Buffer) => void;
  readonly onEnd: (outcome: Outcome) => void;
}

/** A connection for gRPC calls that begin at any time, and whose answers can have several messages. */
export class StreamClient implements LinkListener {
  readonly #authority: string;
  readonly #link: Link;
  readonly #calls = new Map<number, OpenCall>();
  #nextStream = 1;
  /** The outcome of each further call; undefined while the server accepts calls. */
  #refused: Outcome | undefined;

  private constructor(authority: string, socket: Awaited<ReturnType<typeof openSocket>>) {
    this.#authority = authority;
    this.#link = new Link(socket, this);
    this.#link.start((error) => this.#refuse(error.message, 0));
  }

  /** Connects to the server and performs the TLS handshake. */
  static async open(target: Target): Promise<StreamClient> {
    return new StreamClient(`localhost:${target.port}`, await openSocket(target));
  }

  call(call: StreamCall): void {
    if (this.#refused !== undefined) {
      call.onEnd(this.#refused);
      return;
    }
    const id = this.#nextStream;
    this.#nextStream += 2;
    this.#calls.set(id, { call, messages: new MessageSplitter() });
    const message = grpcMessage(call.request);
    const flags = call.staysOpen === true ? FrameFlag.none : FrameFlag.endStream;
    const headers = frame(FrameType.headers, FrameFlag.endHeaders, id, requestHeaders(this.#authority, call.method));
    if (message.length > this.#link.sendWindow) throw new Error("the server does not read this client's requests");
    this.#link.write(Buffer.concat([headers, frame(FrameType.data, flags, id, message)]), message.length);
  }

  /** Makes a call whose answer has one message, which is ignored. Never rejects: a failed connection is an outcome too. */
  callOnce(method: string, request: Buffer): Promise<Outcome> {
    return new Promise((onEnd) => this.call({ method, request, onEnd }));
  }

  /** Ends the connection, and the calls that are not answered. */
  close(): void {
    this.#link.close();
  }

  data(streamId: number, payload: Buffer): void {
    const open = this.#calls.get(streamId);
    open?.messages.push(payload, (message) => open.call.onMessage?.(message));
  }

  ended(streamId: number, outcome: Outcome): void {
    const open = this.#calls.get(streamId);
    this.#calls.delete(streamId);
    open?.call.onEnd(outcome);
  }

  setting(): void {}

  goAway(last: number): void {
    this.#refuse("GOAWAY", last);
  }

  processed(): void {}

  /** Ends the calls above a stream, and each further one: the server never answers them. */
  #refuse(what: string, last: number): void {
    this.#refused = failure(what);
    for (const streamId of this.#calls.keys()) if (streamId > last) this.ended(streamId, this.#refused);
  }
}

interface OpenCall {
  readonly call: StreamCall;
  readonly messages: MessageSplitter;
}
