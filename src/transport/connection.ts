import type { PeerCertificate, TLSSocket } from "node:tls";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import type { Bundle } from "../identity/bundle.ts";
import type { Principal } from "../identity/principal.ts";
import type { SpiffeId } from "../identity/spiffe-id.ts";
import { type VerifiedSvid, verifyAgain } from "../identity/verify.ts";

/** What is known of a peer when its handshake is over and its SVID has been verified. */
export interface Admission {
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

  constructor({ socket, number, verified }: Admission) {
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

/**
 * The connections that are open. A call finds its own through the socket object that it came in on: an address would
 * not do, since a unix socket has none and two workloads on one socket would be the same caller.
 */
export class Connections {
  readonly #open = new Set<Connection>();
  readonly #byMark = new WeakMap<object, Connection>();
  #last = 0;

  get count(): number {
    return this.#open.size;
  }

  /** Numbers a connection; the number also stands in the lines about refused ones. */
  nextNumber(): number {
    this.#last += 1;
    return this.#last;
  }

  /** Makes the peer the caller of every call that will come on its socket. */
  admit(admission: Admission): Connection {
    const connection = new Connection(admission);
    this.#open.add(connection);
    this.#byMark.set(mark(connection.socket), connection);
    connection.socket.once("close", () => this.#open.delete(connection));
    return connection;
  }

  /** The connection of a call. Throws when the call came on none of ours, which no wiring of the server allows. */
  of(call: Pick<ServerUnaryCall<unknown, unknown>, "getAuthContext">): Connection {
    const { sslPeerCertificate } = call.getAuthContext();
    const connection = sslPeerCertificate && this.#byMark.get(sslPeerCertificate);
    if (connection === undefined) throw new Error("a call came on a connection that was never verified");
    return connection;
  }

  /** Those that are open at this moment. */
  all(): readonly Connection[] {
    return [...this.#open];
  }

  /** Resolves when the last of them is closed. */
  async allClosed(): Promise<void> {
    await Promise.all(this.all().map(({ socket }) => new Promise((resolve) => socket.once("close", resolve))));
  }

  /** Ends every connection at once. */
  closeAll(): void {
    for (const connection of this.#open) connection.close();
  }
}

/**
 * Puts an object of ours where grpc-js looks for the peer's certificate. Its public getAuthContext() then hands us that
 * very object, and the real getPeerCertificate(), which costs a quarter of a server's throughput when it is asked on
 * every call, is asked once, before this. `authorized` is the precondition under which grpc-js looks at all; what it
 * said before was OpenSSL's opinion, which decides nothing here.
 */
function mark(socket: TLSSocket): object {
  const certificate = { raw: Buffer.alloc(0) } as PeerCertificate;
  socket.authorized = true;
  socket.getPeerCertificate = (() => certificate) as TLSSocket["getPeerCertificate"];
  return certificate;
}
