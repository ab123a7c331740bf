import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Timers } from "../domain/timers.ts";
import { PeerVerifier } from "../spiffe/peer-verifier.ts";
import { shownBy } from "../spiffe/sent-chain.ts";
import type { IdentitySnapshot, IdentitySource } from "../identity/source.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { SvidRefused } from "../spiffe/svid-refused.ts";
import { awaitClientHello } from "./client-hello.ts";
import type { Connection, Connections } from "./connection.ts";
import type { ConnectionRefusal, Refused } from "./connection-refusal.ts";
import { type HandshakeContexts, handshakeContexts, shakeHands } from "./handshake.ts";
import type { HandshakeGate } from "./handshake-gate.ts";

/** What a {@link ConnectionAdmission} needs. */
export interface ConnectionAdmissionOptions {
  readonly identity: IdentitySource;
  readonly connections: Connections;
  readonly gate: HandshakeGate;
  readonly timers: Timers;
  /** Takes a connection whose peer is verified; nothing of HTTP/2 has been read from it. */
  readonly onConnection: (connection: Connection) => void;
  readonly onRefused: (refused: Refused) => void;
}

// A peer that takes longer, in milliseconds, is not shaking hands; Node's own limit is two minutes.
const HANDSHAKE_MS = 10_000;

// How many connections are verified again in one turn of the event loop: a few milliseconds of work.
const VERIFIED_IN_A_TURN = 16;

/**
 * The whole way from a stranger to a {@link Connection}: let in, heard, shaken hands with, verified once, before a byte
 * of HTTP/2 is read. And the way out: when trust changes, each connection is verified again.
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
    this.#contexts = handshakeContexts(snapshot);
    this.#bundles = snapshot.bundles;
    this.#verifier.follow(snapshot.bundles);
    this.#stopRotation = options.identity.onChange((next) => this.#rotate(next));
  }

  /** Takes a connection that was just accepted. */
  receive(raw: Socket): void {
    const { gate, timers, connections } = this.#options;
    // A peer that vanishes emits an error, which would end the process if nobody listened for it.
    raw.on("error", () => {});
    const tooLate = () => this.#abandon(stranger, `no handshake in ${HANDSHAKE_MS} ms`);
    const cancelTimer = timers.delay(HANDSHAKE_MS, tooLate);
    const stranger: Stranger = { raw, number: connections.nextNumber(), cancelTimer, socket: raw, state: "silent" };
    raw.once("close", () => this.#abandon(stranger, "the peer left"));
    if (!gate.enter(raw, (reason) => this.#refuse(stranger, reason, "a limit was reached"))) return;
    awaitClientHello(
      raw,
      () => this.#queue(stranger),
      () => this.#refuse(stranger, "handshake-failed", "the peer does not speak TLS"),
    );
  }

  /** accept(2) reports what became of a single connection, too: it must not end all the others. */
  notAccepted(error: NodeJS.ErrnoException): void {
    const connection = this.#options.connections.nextNumber();
    const detail = error.code ?? "it failed";
    this.#options.onRefused({ reason: "not-accepted", connection, remote: "", detail, claimed: undefined });
  }

  /** Stops following the identity. */
  close(): void {
    this.#stopRotation();
  }

  #queue(stranger: Stranger): void {
    stranger.state = "waiting";
    this.#options.gate.turn(stranger.raw, () => this.#shakeHands(stranger));
  }

  /** One that has said hello and was not called would have been served by a faster server: that is no peer's fault. */
  #abandon(stranger: Stranger, detail: string): void {
    this.#refuse(stranger, stranger.state === "waiting" ? "handshake-not-begun" : "handshake-abandoned", detail);
  }

  #shakeHands(stranger: Stranger): void {
    stranger.state = "shaking";
    const { gate } = this.#options;
    shakeHands(stranger.raw, this.#contexts, {
      failed: (code) => this.#refuse(stranger, failure(code), code),
      complete: (socket) => {
        stranger.socket = socket;
        gate.complete(stranger.raw, () => this.#judgeSafely(stranger, socket));
      },
    });
  }

  /** Thrown from here, a stray error would end the process, and a stranger may know how to cause it. */
  #judgeSafely(stranger: Stranger, socket: TLSSocket): void {
    try {
      this.#judge(stranger, socket);
    } catch (error) {
      this.#refuse(stranger, "internal", String(error));
    }
  }

  #judge(stranger: Stranger, socket: TLSSocket): void {
    const { state } = this.#options.identity;
    if (socket.isSessionReused()) this.#refuse(stranger, "session-resumed", "no ticket was given out");
    else if (socket.alpnProtocol !== "h2") this.#refuse(stranger, "no-h2", "the client does not offer h2");
    else if (state.kind !== "ready") this.#refuse(stranger, "not-ready", state.problems.join("; "));
    else this.#verify(stranger, socket);
  }

  #verify(stranger: Stranger, socket: TLSSocket): void {
    const { connections, timers, onConnection } = this.#options;
    try {
      const verified = this.#verifier.verify(shownBy(socket), timers.clock());
      onConnection(connections.admit({ socket, number: stranger.number, verified }));
      // Not before: should it not be served, for a fault of ours, it is still a stranger, and is closed.
      stranger.state = "known";
      stranger.cancelTimer();
    } catch (error) {
      if (!(error instanceof SvidRefused)) throw error;
      this.#refuse(stranger, error.reason, error.detail, error.claimed);
    }
  }

  #rotate(snapshot: IdentitySnapshot): void {
    this.#contexts = handshakeContexts(snapshot);
    this.#bundles = snapshot.bundles;
    this.#verifier.follow(snapshot.bundles);
    this.#verifyAgain(this.#options.connections.all());
  }

  /** A few in each turn: thousands of signatures at once would hold up every call. */
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
      connection.close();
      // Any other error is a fault of ours. Thrown from here it would end the process.
      const reason = error instanceof SvidRefused ? error.reason : "internal";
      const detail = error instanceof SvidRefused ? error.detail : String(error);
      this.#options.onRefused({ reason, connection: number, remote, detail, claimed });
    }
  }

  /** An authority with an earlier end took the place of the one that had vouched: streams must not outlive it either. */
  #endSooner(connection: Connection): void {
    const { timers } = this.#options;
    const cancel = timers.delay(connection.validUntil - timers.clock(), () => connection.close());
    connection.socket.once("close", cancel);
  }

  /** The first reason counts: a connection that is closed for it also leaves, and may fail in its handshake. */
  #refuse(stranger: Stranger, reason: ConnectionRefusal, detail: string, claimed?: SpiffeId): void {
    if (stranger.state === "known" || stranger.state === "refused") return;
    stranger.state = "refused";
    stranger.cancelTimer();
    const remote = stranger.raw.remoteAddress ?? "";
    // OpenSSL may have called this: from within its callback, Node 24 and 26 send no close_notify.
    if (stranger.socket === stranger.raw) stranger.raw.destroy();
    else this.#options.timers.afterTurn(() => stranger.socket.destroy());
    this.#options.onRefused({ reason, connection: stranger.number, remote, detail, claimed });
  }
}

/** A peer on its way through the handshake. */
interface Stranger {
  readonly raw: Socket;
  /** The number of its connection in this process. */
  readonly number: number;
  /** Stops the clock that its handshake runs against. */
  readonly cancelTimer: () => void;
  /** What to destroy: `raw`, and from the end of the handshake on the TLS socket, which then sends close_notify. */
  socket: Socket;
  /** "waiting": it has said hello, and its turn has not come. */
  state: "silent" | "waiting" | "shaking" | "known" | "refused";
}

/** Peers that just leave are no event; TLS that does not work is. */
function failure(code: string): ConnectionRefusal {
  return code === "" || code === "ECONNRESET" || code === "EPIPE" ? "handshake-abandoned" : "handshake-failed";
}
