import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { noLongerTrusted, svidExpired } from "../domain/errors.ts";
import type { Timers } from "../domain/timers.ts";
import { PeerVerifier } from "../spiffe/peer-verifier.ts";
import { shownBy } from "../spiffe/sent-chain.ts";
import type { IdentitySnapshot, IdentitySource } from "../identity/source.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { SvidRefused } from "../spiffe/svid-refused.ts";
import { awaitClientHello } from "./client-hello.ts";
import type { Connection, Connections } from "./connection.ts";
import type { ConnectionRefusal, Refused } from "./connection-refusal.ts";
import type { CertificateFilter } from "./certificate-filter.ts";
import { type HandshakeContexts, handshakeContexts, performHandshake } from "./handshake.ts";
import type { HandshakeGate } from "./handshake-gate.ts";

/** What a {@link ConnectionAdmission} needs. */
export interface ConnectionAdmissionOptions {
  readonly identity: IdentitySource;
  readonly connections: Connections;
  readonly gate: HandshakeGate;
  readonly filter: CertificateFilter;
  readonly timers: Timers;
  /** Called with each connection whose peer is verified, before any byte of HTTP/2 is read. */
  readonly onConnection: (connection: Connection) => void;
  readonly onRefused: (refused: Refused) => void;
}

// The longest time from accepting a connection to the end of its handshake. Node's own limit is two minutes.
const HANDSHAKE_MS = 10_000;

// The number of connections that are verified again in one turn of the event loop: a few milliseconds of work.
const VERIFIED_IN_A_TURN = 16;

/**
 * Takes each accepted socket through the limits, the ClientHello, the handshake and the verification of the peer's
 * SVID, and creates a {@link Connection} from it. No byte of HTTP/2 is read before that. When the bundles change, it
 * verifies every open connection again and closes those that fail.
 */
export class ConnectionAdmission {
  readonly #options: ConnectionAdmissionOptions;
  readonly #stopRotation: () => void;
  readonly #verifier = new PeerVerifier("client");
  #contexts: HandshakeContexts;
  #bundles: IdentitySnapshot["bundles"];

  /** The identity must be ready. */
  constructor(options: ConnectionAdmissionOptions) {
    this.#options = options;
    const snapshot = options.identity.snapshot();
    this.#contexts = handshakeContexts(snapshot, options.filter);
    this.#bundles = snapshot.bundles;
    this.#verifier.follow(snapshot.bundles);
    this.#stopRotation = options.identity.onChange((next) => this.#rotate(next));
  }

  /** Begins the admission of a socket that was just accepted. */
  receive(raw: Socket): void {
    const { gate, timers, connections } = this.#options;
    // A peer that disconnects can cause an error event, which would end the process without a listener.
    raw.on("error", () => {});
    const tooLate = () => this.#abandon(peer, `no handshake in ${HANDSHAKE_MS} ms`);
    const cancelTimer = timers.delay(HANDSHAKE_MS, tooLate);
    const peer: UnverifiedPeer = { raw, number: connections.nextNumber(), cancelTimer, socket: raw, state: "silent" };
    raw.once("close", () => this.#abandon(peer, "the peer disconnected"));
    if (!gate.enter(raw, (reason) => this.#refuse(peer, reason, "a limit was reached"))) return;
    awaitClientHello(
      raw,
      () => this.#queue(peer),
      () => this.#refuse(peer, "handshake-failed", "the peer does not speak TLS"),
    );
  }

  /** Refuses a socket that was just accepted, because every front has its maximum number of connections. */
  refuse(raw: Socket): void {
    const connection = this.#options.connections.nextNumber();
    const remote = raw.remoteAddress ?? "";
    const detail = "a limit was reached";
    raw.destroy();
    this.#options.onRefused({ reason: "too-many-connections", connection, remote, detail, claimed: undefined });
  }

  /** Reports an error of accept(2). Such an error can concern a single connection, so it must not end the others. */
  notAccepted(error: NodeJS.ErrnoException): void {
    const connection = this.#options.connections.nextNumber();
    const detail = error.code ?? "unknown error";
    this.#options.onRefused({ reason: "not-accepted", connection, remote: "", detail, claimed: undefined });
  }

  /** Stops following changes of the identity. */
  close(): void {
    this.#stopRotation();
  }

  #queue(peer: UnverifiedPeer): void {
    peer.state = "waiting";
    this.#options.gate.turn(peer.raw, () => this.#beginHandshake(peer));
  }

  /**
   * Refuses a peer that disconnected or whose time is over. A peer that was still in the queue gets another reason,
   * because the server caused the delay, not the peer.
   */
  #abandon(peer: UnverifiedPeer, detail: string): void {
    this.#refuse(peer, peer.state === "waiting" ? "handshake-not-begun" : "handshake-abandoned", detail);
  }

  #beginHandshake(peer: UnverifiedPeer): void {
    peer.state = "in handshake";
    const { gate } = this.#options;
    performHandshake(peer.raw, this.#contexts, {
      refused: ({ reason, detail }) => this.#refuse(peer, reason, detail),
      failed: (code) => this.#refuse(peer, failure(code), code),
      complete: (socket) => {
        peer.socket = socket;
        gate.complete(peer.raw, () => this.#checkSafely(peer, socket));
      },
    });
  }

  /**
   * Refuses the peer at an unexpected error. An error that is thrown in a socket's event ends the process, and an
   * unauthenticated peer may be able to cause one.
   */
  #checkSafely(peer: UnverifiedPeer, socket: TLSSocket): void {
    try {
      this.#check(peer, socket);
    } catch (error) {
      this.#refuse(peer, "internal", String(error));
    }
  }

  #check(peer: UnverifiedPeer, socket: TLSSocket): void {
    const { state } = this.#options.identity;
    if (socket.isSessionReused()) this.#refuse(peer, "session-resumed", "the server keeps no sessions");
    else if (socket.alpnProtocol !== "h2") this.#refuse(peer, "no-h2", "the client does not negotiate h2 by ALPN");
    else if (state.kind !== "ready") this.#refuse(peer, "not-ready", state.problems.join("; "));
    else this.#verify(peer, socket);
  }

  #verify(peer: UnverifiedPeer, socket: TLSSocket): void {
    const { connections, timers, onConnection } = this.#options;
    try {
      const verified = this.#verifier.verify(shownBy(socket), timers.clock());
      onConnection(connections.admit({ socket, number: peer.number, verified }));
      // Set last: if onConnection throws, #refuse must still close the socket.
      peer.state = "verified";
      peer.cancelTimer();
    } catch (error) {
      if (!(error instanceof SvidRefused)) throw error;
      this.#refuse(peer, error.reason, error.detail, error.claimed);
    }
  }

  #rotate(snapshot: IdentitySnapshot): void {
    this.#contexts = handshakeContexts(snapshot, this.#options.filter);
    this.#bundles = snapshot.bundles;
    this.#verifier.follow(snapshot.bundles);
    this.#verifyAgain(this.#options.connections.all());
  }

  /** Verifies a few in each turn: checking thousands of signatures in one turn would delay every call. */
  #verifyAgain(connections: readonly Connection[]): void {
    for (const connection of connections.slice(0, VERIFIED_IN_A_TURN)) this.#verifyOnce(connection);
    const rest = connections.slice(VERIFIED_IN_A_TURN);
    if (rest.length > 0) this.#options.timers.afterTurn(() => this.#verifyAgain(rest));
  }

  #verifyOnce(connection: Connection): void {
    if (connection.socket.destroyed) return;
    const { validUntil } = connection;
    try {
      connection.verifyAgain(this.#bundles, this.#options.timers.clock());
      if (connection.validUntil < validUntil) this.#endSooner(connection);
    } catch (error) {
      const { connection: number, remote, id: claimed } = connection;
      connection.close(noLongerTrusted(claimed.toString()));
      // Any other error is a bug. If it were thrown from here, it would end the process.
      const reason = error instanceof SvidRefused ? error.reason : "internal";
      const detail = error instanceof SvidRefused ? error.detail : String(error);
      this.#options.onRefused({ reason, connection: number, remote, detail, claimed });
    }
  }

  /**
   * Closes the connection when its new path expires. The new path can end at a CA that expires earlier than that of the
   * previous path, and streams must not outlive the path.
   */
  #endSooner(connection: Connection): void {
    const { timers } = this.#options;
    const cancel = timers.delay(connection.validUntil - timers.clock(), () => connection.close(svidExpired()));
    connection.socket.once("close", cancel);
  }

  /** Reports the first reason only: closing the connection can also cause a close event and a handshake error. */
  #refuse(peer: UnverifiedPeer, reason: ConnectionRefusal, detail: string, claimed?: SpiffeId): void {
    if (peer.state === "verified" || peer.state === "refused") return;
    peer.state = "refused";
    peer.cancelTimer();
    const remote = peer.raw.remoteAddress ?? "";
    // OpenSSL may have called this. If the socket is destroyed within its callback, Node 24 and 26 send no
    // close_notify.
    if (peer.socket === peer.raw) peer.raw.destroy();
    else this.#options.timers.afterTurn(() => peer.socket.destroy());
    this.#options.onRefused({ reason, connection: peer.number, remote, detail, claimed });
  }
}

/** A connection whose peer is not verified yet. */
interface UnverifiedPeer {
  readonly raw: Socket;
  /** The number of its connection in this process. */
  readonly number: number;
  /** Cancels the timer that limits the time until the end of the handshake. */
  readonly cancelTimer: () => void;
  /** The socket to destroy: `raw`, or after the handshake the TLS socket, which then sends close_notify. */
  socket: Socket;
  /** "silent": no complete ClientHello yet. "waiting": in the queue for a handshake. */
  state: "silent" | "waiting" | "in handshake" | "verified" | "refused";
}

/** A peer that only disconnects is counted; a TLS error is also logged. */
function failure(code: string): ConnectionRefusal {
  return code === "" || code === "ECONNRESET" || code === "EPIPE" ? "handshake-abandoned" : "handshake-failed";
}
