import type { ServerHttp2Stream } from "node:http2";
import { nextTick } from "node:process";
import { requestIncomplete } from "../domain/errors.ts";
import { cancelUnread, sendStatus } from "./answer-stream.ts";
import type { Lease } from "./budget.ts";
import { REQUEST_MS } from "./incoming-call.ts";
import { TimedItem } from "./overdue.ts";
import { toStatus } from "./status.ts";

/**
 * Methods that every caller with a valid SVID may call, and unknown ones. Their requests are small, and grpc-js reads and
 * answers them. `isStreaming`: its calls can stay open.
 */
export interface OpenRoute {
  readonly kind: "open";
  readonly isStreaming: boolean;
}

/** A call that grpc-js answers. */
export class OpenCall extends TimedItem {
  readonly #stream: ServerHttp2Stream;
  readonly #route: OpenRoute;
  readonly #lease: Lease;

  constructor(stream: ServerHttp2Stream, route: OpenRoute, lease: Lease) {
    super();
    this.#stream = stream;
    this.#route = route;
    this.#lease = lease;
    destroyOnReset(stream);
  }

  /** Refuses the call if its request is still incomplete. */
  expire(): void {
    const stream = this.#stream;
    if (this.#route.isStreaming || stream.state.remoteClose === 1) return;
    // grpc-js does not know of this answer. It would begin another one at the end of the request.
    stream.removeAllListeners("data").removeAllListeners("end");
    sendStatus(stream, toStatus(requestIncomplete(REQUEST_MS)));
  }

  /** Cancels the call if the caller has not read the whole answer. Called when the time for reading it is over. */
  abandon(): void {
    cancelUnread(this.#stream);
  }

  /** The stream is closed. */
  close(): void {
    this.#lease.release();
  }
}

/**
 * Destroys a stream when its peer resets it. After a RST_STREAM with NO_ERROR, node:http2 waits until the request is read
 * and, before Node 26, until the answer is sent. Neither happens if grpc-js has paused the stream because its peer reads no
 * answers: the call would keep its place in the budget until the connection ends. The event "aborted" does not report every
 * reset: there is none after the end of the answer, whether the peer has read it or not. But node:http2 always ends the
 * request of a stream that it closes without an error.
 *
 * The stream is destroyed in the next tick, because in this one the server may be resetting the stream itself.
 */
function destroyOnReset(stream: ServerHttp2Stream): void {
  const push = stream.push.bind(stream);
  stream.push = (piece: Buffer | null) => {
    if (piece === null && stream.closed) nextTick(() => stream.destroy());
    return push(piece);
  };
}
