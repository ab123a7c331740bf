import type { TLSSocket } from "node:tls";
import type { CofferError } from "../domain/errors.ts";
import type { Bundle } from "../spiffe/bundle.ts";
import type { Principal } from "../spiffe/principal.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { type VerifiedSvid, verifyAgain } from "../spiffe/verify.ts";

/** A peer whose handshake is complete and whose SVID is verified. */
export interface VerifiedPeer {
  readonly socket: TLSSocket;
  /** The number of the connection in this process. */
  readonly number: number;
  readonly verified: VerifiedSvid;
}

/** A connection whose peer has proven its identity. The connection is the caller ({@link Principal}) of each of its calls. */
export class Connection implements Principal {
  readonly socket: TLSSocket;
  readonly connection: number;
  /** The peer's address, for the log only; empty on a unix socket. */
  readonly remote: string;
  #verified: VerifiedSvid;
  #close: (reason?: CofferError) => void;

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

  /**
   * The earliest expiry of a certificate on the path from the peer's SVID to its CA, in milliseconds since the epoch.
   */
  get validUntil(): number {
    return this.#verified.validUntil;
  }

  /** Sets how the connection is closed from now on. A protocol above TLS uses it to end its session as well. */
  endBy(close: (reason?: CofferError) => void): void {
    this.#close = close;
  }

  /** Ends the connection immediately. Calls in flight fail. Streaming calls fail with `reason`, if there is one. */
  close(reason?: CofferError): void {
    this.#close(reason);
  }

  /** Verifies the peer's certificates again, with other bundles. Throws SvidRefused if they are no longer valid. */
  verifyAgain(bundles: ReadonlyMap<string, Bundle>, now: number): void {
    this.#verified = verifyAgain(this.#verified, bundles, now, "client");
  }
}

/** How connections are numbered. With several fronts, each counts in steps, so that no two connections get the same number. */
export interface Numbering {
  readonly first: number;
  readonly step: number;
}

/** The open connections. */
export class Connections {
  readonly #open = new Set<Connection>();
  readonly #step: number;
  #next: number;

  constructor({ first, step }: Numbering = { first: 1, step: 1 }) {
    this.#next = first;
    this.#step = step;
  }

  get count(): number {
    return this.#open.size;
  }

  /** The number for the next connection. Log lines about refused connections contain it as well. */
  nextNumber(): number {
    const number = this.#next;
    this.#next += this.#step;
    return number;
  }

  /** Adds a verified peer: it is the caller of every call on its socket. */
  admit(peer: VerifiedPeer): Connection {
    const connection = new Connection(peer);
    this.#open.add(connection);
    connection.socket.once("close", () => this.#open.delete(connection));
    return connection;
  }

  /** The connections that are open at this moment. */
  all(): readonly Connection[] {
    return [...this.#open];
  }

  /** Resolves when the last connection is closed, including those that are admitted in the meantime. */
  async allClosed(): Promise<void> {
    while (this.#open.size > 0) {
      await Promise.all(this.all().map(({ socket }) => new Promise((resolve) => socket.once("close", resolve))));
    }
  }

  /** Ends every connection immediately. */
  closeAll(): void {
    for (const connection of this.#open) connection.close();
  }
}
