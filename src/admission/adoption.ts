import { closeSync } from "node:fs";
import { Socket } from "node:net";
import type { ConnectionCounts } from "./connection-counts.ts";

/** What an {@link Adoption} needs. */
export interface AdoptionOptions {
  readonly counts: ConnectionCounts;
  /** The number of this front. */
  readonly own: number;
  /** Serves a connection. */
  readonly receive: (socket: Socket) => void;
  /** Reports a descriptor that could not be opened as a socket. */
  readonly failed: (error: NodeJS.ErrnoException) => void;
}

/**
 * The receiving side of `Placement`: opens sockets from the descriptors that the accepting front sends. Each descriptor
 * is closed exactly once, by its socket or here.
 */
export class Adoption {
  readonly #options: AdoptionOptions;
  #isClosed = false;

  constructor(options: AdoptionOptions) {
    this.#options = options;
  }

  /** Takes over a descriptor. Its peer may be gone already; the socket then ends as one that was accepted here does. */
  adopt(fd: number): void {
    const socket = this.#open(fd);
    if (socket === undefined) return;
    const { counts, own, receive } = this.#options;
    // Without a listener, an error of the socket would end the process.
    socket.on("error", () => {});
    socket.once("close", () => counts.remove(own));
    if (this.#isClosed) socket.destroy();
    else receive(socket);
  }

  /** Closes every connection that arrives from now on. */
  close(): void {
    this.#isClosed = true;
  }

  /** TCP_NODELAY and the other options belong to the socket, so those of the accepting front remain set. */
  #open(fd: number): Socket | undefined {
    const { counts, own, failed } = this.#options;
    try {
      return new Socket({ fd });
    } catch (error) {
      // Node owns the descriptor only when the constructor has returned.
      closeSync(fd);
      counts.remove(own);
      failed(error as NodeJS.ErrnoException);
      return undefined;
    }
  }
}
