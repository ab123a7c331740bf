import type { TLSSocket } from "node:tls";
import type { Bundle } from "../spiffe/bundle.ts";
import type { Principal } from "../spiffe/principal.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { type VerifiedSvid, verifyAgain } from "../spiffe/verify.ts";

/** What is known of a peer when its handshake is over and its SVID has been verified. */
export interface VerifiedPeer {
  readonly socket: TLSSocket;
  /** The number of the connection in this process. */
  readonly number: number;
  readonly verified: VerifiedSvid;
}

/** A connection whose peer has proven its identity. As a {@link Principal} it is the caller of each of its calls. */
export class Connection implements Principal {
  readonly socket: TLSSocket;
  readonly connection: number;
  /** The peer's address, for the log only; empty on a unix socket. */
  readonly remote: string;
  #verified: VerifiedSvid;
  #close: () => void;

  constructor({ socket, number, verified }: VerifiedPeer) {
    this.socket = socket;
    this.connection = number;
    this.remote = socket.remoteAddress ?? "";
    this.#verified = verified;
    this.#close = () => socket.destroy();
  }

  get id(): SpiffeId {
    return this.#verified.id;
  }

  /** Until when the proof holds, in milliseconds since the epoch. */
  get validUntil(): number {
    return this.#verified.validUntil;
  }

  /** From now on `close` is how the connection ends: a protocol above TLS has begun, and ends with it. */
  endBy(close: () => void): void {
    this.#close = close;
  }

  /** Ends the connection at once: calls under way fail. */
  close(): void {
    this.#close();
  }

  /** Looks at what the peer sent once more, with other bundles. Throws SvidRefused when it is no longer good. */
  verifyAgain(bundles: ReadonlyMap<string, Bundle>, now: number): void {
    this.#verified = verifyAgain(this.#verified, bundles, now, "client");
  }
}

/** The connections that are open. */
export class Connections {
  readonly #open = new Set<Connection>();
  #last = 0;

  get count(): number {
    return this.#open.size;
  }

  /** Numbers a connection; the number also stands in the lines about refused ones. */
  nextNumber(): number {
    this.#last += 1;
    return this.#last;
  }

  /** Takes a peer in: it is the caller of every call that will come on its socket. */
  admit(peer: VerifiedPeer): Connection {
    const connection = new Connection(peer);
    this.#open.add(connection);
    connection.socket.once("close", () => this.#open.delete(connection));
    return connection;
  }

  /** Those that are open at this moment. */
  all(): readonly Connection[] {
    return [...this.#open];
  }

  /** Resolves when the last of them is closed, those included that are admitted meanwhile. */
  async allClosed(): Promise<void> {
    while (this.#open.size > 0) {
      await Promise.all(this.all().map(({ socket }) => new Promise((resolve) => socket.once("close", resolve))));
    }
  }

  /** Ends every connection at once. */
  closeAll(): void {
    for (const connection of this.#open) connection.close();
  }
}
