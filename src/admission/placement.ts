import { closeSync } from "node:fs";
import type { Socket } from "node:net";
import type { ConnectionCounts } from "./connection-counts.ts";
import type { Duplicate } from "./descriptor.ts";

/** What a {@link Placement} needs. */
export interface PlacementOptions {
  readonly counts: ConnectionCounts;
  /** The number of the front that accepts. */
  readonly own: number;
  /**
   * The maximum number of connections of a front, including those on the way to it. A front limits its own; this limits
   * the descriptors that wait for a front that is busy.
   */
  readonly most: number;
  /** Sends a descriptor to another front, which then owns it. Throws if it was not sent. */
  readonly post: (front: number, fd: number) => void;
  readonly duplicate: Duplicate;
  /** Serves a connection on this front. */
  readonly receive: (socket: Socket) => void;
  /** Refuses a connection, because all fronts have the maximum. */
  readonly refuse: (socket: Socket) => void;
}

/**
 * Distributes accepted connections over the fronts: each goes to the front with the fewest open ones. Of several such
 * fronts, the next in turn gets it: otherwise one front would get all connections of a client that makes one call on
 * each, and such a client would get the handshake rate of one front instead of that of the process. Node can't pass a
 * socket to another thread, so the other thread gets the number of a duplicate of its descriptor, and this one closes its
 * own without sending FIN. Bytes that have arrived stay in the kernel: nothing is read before `place` returns.
 */
export class Placement {
  readonly #options: PlacementOptions;
  /** The front that was chosen last; -1 before the first connection. */
  #last = -1;

  constructor(options: PlacementOptions) {
    this.#options = options;
  }

  /** Places a socket. Call it in the turn in which the socket is accepted, before anything is read from it. */
  place(socket: Socket): void {
    const { counts, own, most } = this.#options;
    const front = counts.fewest(this.#last);
    this.#last = front;
    if (counts.of(front) >= most) this.#options.refuse(socket);
    else if (front === own || !this.#isPassed(socket, front)) this.#keep(socket);
  }

  #keep(socket: Socket): void {
    const { counts, own, receive } = this.#options;
    counts.add(own);
    socket.once("close", () => counts.remove(own));
    receive(socket);
  }

  /**
   * Passes a socket to another front. Returns false if that is not possible, for example because the process has no free
   * descriptor: the connection is then served here instead of being lost.
   */
  #isPassed(socket: Socket, front: number): boolean {
    const copy = this.#copyOf(socket);
    if (copy === undefined || !this.#isPosted(copy, front)) return false;
    // close(2) sends no FIN while another descriptor refers to the socket.
    socket.destroy();
    return true;
  }

  #copyOf(socket: Socket): number | undefined {
    const fd = descriptorOf(socket);
    try {
      return fd === undefined ? undefined : this.#options.duplicate(fd);
    } catch {
      return undefined;
    }
  }

  #isPosted(copy: number, front: number): boolean {
    const { counts, post } = this.#options;
    counts.add(front);
    try {
      post(front, copy);
      return true;
    } catch {
      counts.remove(front);
      closeSync(copy);
      return false;
    }
  }
}

/** Undefined if the socket is closed already. Node documents neither `_handle` nor its `fd`. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  return handle?.fd;
}
