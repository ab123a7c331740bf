import type { PeerCertificate, TLSSocket } from "node:tls";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import type { Principal } from "../identity/principal.ts";
import type { VerifiedSvid } from "../identity/verify.ts";

/** A connection whose peer has proven its identity. As a {@link Principal} it is the caller of each of its calls. */
export interface Connection extends Principal {
  /** The peer's address, for the log only; empty on a unix socket. */
  readonly remote: string;
  readonly socket: TLSSocket;
  readonly verified: VerifiedSvid;
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

  /** Makes `verified` the caller of every call that will come on `socket`. */
  admit(socket: TLSSocket, connection: number, verified: VerifiedSvid): Connection {
    const admitted = { id: verified.id, connection, remote: socket.remoteAddress ?? "", socket, verified };
    this.#open.add(admitted);
    this.#byMark.set(mark(socket), admitted);
    socket.once("close", () => this.#open.delete(admitted));
    return admitted;
  }

  /** The connection of a call. Throws when the call came on none of ours, which no wiring of the server allows. */
  of(call: Pick<ServerUnaryCall<unknown, unknown>, "getAuthContext">): Connection {
    const { sslPeerCertificate } = call.getAuthContext();
    const connection = sslPeerCertificate && this.#byMark.get(sslPeerCertificate);
    if (connection === undefined) throw new Error("a call came on a connection that was never verified");
    return connection;
  }

  /** Resolves when the last of them is closed. */
  async allClosed(): Promise<void> {
    await Promise.all([...this.#open].map(({ socket }) => new Promise((resolve) => socket.once("close", resolve))));
  }

  /** Ends every connection at once. */
  destroyAll(): void {
    for (const { socket } of this.#open) socket.destroy();
  }
}

/**
 * Puts an object of ours where grpc-js looks for the peer's certificate. Its public getAuthContext() then hands us that
 * very object, and the real getPeerCertificate(), which costs a quarter of a server's throughput when it is asked on
 * every call, is never called. `authorized` is the precondition under which grpc-js looks at all; what it said before
 * was OpenSSL's opinion, which decides nothing here.
 */
function mark(socket: TLSSocket): object {
  const certificate = { raw: Buffer.alloc(0) } as PeerCertificate;
  socket.authorized = true;
  socket.getPeerCertificate = (() => certificate) as TLSSocket["getPeerCertificate"];
  return certificate;
}
