import type { Socket } from "node:net";
import type { Timers } from "../domain/timers.ts";
import { Pace } from "./pace.ts";
import { HandshakeQueue } from "./handshake-queue.ts";

/**
 * The limits on what unauthenticated peers may use. A peer proves its identity only in the handshake, so anyone who can
 * connect can cause the cost of a handshake.
 */
export interface HandshakeLimits {
  /** The maximum number of open connections, in handshake or served. */
  readonly connections: number;
  /** The maximum number of connections whose handshake is not complete. */
  readonly inProgress: number;
  /**
   * The maximum number of handshakes that begin in a second. Each takes its thread one or two milliseconds, and no other
   * work of this thread happens meanwhile.
   */
  readonly perSecond: number;
}

/** Enough for a host that is full of workloads, each of which opens a connection every few minutes. */
export const DEFAULT_HANDSHAKE_LIMITS: HandshakeLimits = { connections: 10_000, inProgress: 1024, perSecond: 200 };

/**
 * The maximum number of connections that may be served. A sixteenth of all connections is reserved for handshakes.
 * Without this reserve, one SPIFFE ID could use every connection and lock out all others: the server knows which SPIFFE
 * ID a new connection belongs to only after the handshake.
 */
export function mostServed({ connections, inProgress }: HandshakeLimits): number {
  return Math.max(1, connections - Math.min(inProgress, Math.ceil(connections / 16)));
}

/** Numbers for metrics, which a gate keeps up to date. */
export interface GateCounts {
  /** The open connections, in handshake or served. */
  open: number;
  /** The connections whose handshake is not complete. */
  inProgress: number;
  /** The handshakes that have begun since the start. */
  begun: number;
}

/** Why the gate closed a connection. */
export type GateRefusal =
  /** The maximum number of connections is open, and none of them is in handshake. */
  | "too-many-connections"
  /** It was in handshake, and was closed for a newer connection at the limit. {@link HandshakeQueue} selects it. */
  | "handshake-displaced";

// Milliseconds of work in one turn of the event loop. Only a turn with at least this much work is examined for the work
// of handshakes. A shorter turn cannot contain a costly handshake, and examining every handshake in progress in each
// turn would cost more than most handshakes.
const LONG_TURN_MS = 5;

// The maximum number of pauses in a second: no timer is shorter than a millisecond.
const MOST_PAUSES = 1000;

/**
 * Limits the connections of all listeners together. Call `enter` when a connection is accepted, `turn` when its
 * ClientHello has arrived, and `complete` when its handshake is complete. The gate removes a connection that closes.
 *
 * Handshakes begin one at a time with a pause after each, because every call that arrives waits for the work that the
 * thread has begun. The pause is the longer of two: the interval of the handshake rate, and the rest that {@link Pace}
 * requires for the work of handshakes.
 */
export class HandshakeGate {
  readonly counts: GateCounts;
  readonly #limits: HandshakeLimits;
  readonly #timers: Timers;
  readonly #open = new Set<Socket>();
  readonly #queue: HandshakeQueue;
  readonly #pace: Pace;
  /** The handshakes in progress, each with the number of bytes that had been read at the end of the last turn. */
  readonly #inHandshake = new Map<Socket, number>();
  #stopWatching: (() => void) | undefined;
  #begun = 0;
  #hasRequested = false;

  /** `counts` receives the numbers for metrics. */
  constructor(
    limits: HandshakeLimits,
    timers: Timers,
    counts: GateCounts = { open: 0, inProgress: 0, begun: 0 },
    random: () => number = Math.random,
  ) {
    this.#limits = limits;
    this.counts = counts;
    this.#queue = new HandshakeQueue(random);
    this.#pace = new Pace(timers);
    this.#timers = timers;
  }

  /** Adds an accepted connection. `drop` closes it. Returns false if it was closed immediately. */
  enter(socket: Socket, drop: (reason: GateRefusal) => void): boolean {
    if (this.#isFull() && !this.#queue.dropOne()) {
      drop("too-many-connections");
      return false;
    }
    this.#open.add(socket);
    this.#queue.enter(socket, () => {
      this.#open.delete(socket);
      drop("handshake-displaced");
    });
    socket.once("close", () => this.#forget(socket));
    this.#count();
    return true;
  }

  /** Queues a connection. `begin` is called when its handshake may begin. */
  turn(socket: Socket, begin: () => void): void {
    this.#queue.helloArrived(socket, () => {
      this.#watch(socket);
      begin();
    });
    this.#advance();
  }

  /**
   * Ends a handshake and runs `verify`, which verifies the peer. The pause that follows also accounts for this work.
   */
  complete(socket: Socket, verify: () => void): void {
    const hasCost = this.#inHandshake.has(socket);
    this.#unwatch(socket);
    this.#queue.leave(socket);
    this.#count();
    try {
      verify();
    } finally {
      if (hasCost) this.#pace.charge();
    }
  }

  #isFull(): boolean {
    const { connections, inProgress } = this.#limits;
    return this.#open.size >= connections || this.#queue.size >= inProgress;
  }

  #forget(socket: Socket): void {
    this.#open.delete(socket);
    this.#unwatch(socket);
    this.#queue.leave(socket);
    this.#count();
  }

  #count(): void {
    this.counts.open = this.#open.size;
    this.counts.inProgress = this.#queue.size;
    this.counts.begun = this.#begun;
  }

  #advance(): void {
    if (this.#hasRequested) return;
    this.#hasRequested = true;
    this.#pace.next(() => this.#beginNext());
  }

  #beginNext(): void {
    const begun = this.#begin(Math.ceil(this.#limits.perSecond / MOST_PAUSES));
    this.#begun += begun;
    this.#count();
    if (begun === 0) {
      this.#hasRequested = false;
      return;
    }
    this.#timers.delay((1000 * begun) / this.#limits.perSecond, () => {
      this.#hasRequested = false;
      this.#advance();
    });
  }

  /** Begins up to `most` handshakes, and returns how many. */
  #begin(most: number): number {
    let begun = 0;
    while (begun < most && this.#queue.beginNext()) begun += 1;
    return begun;
  }

  #watch(socket: Socket): void {
    if (this.#inHandshake.size === 0) this.#pace.skip();
    // Only work after the ClientHello is charged. The server's choice of TLS groups bounds the cost of the ClientHello
    // itself. If ClientHellos were charged, every turn during a flood of connections would add to the pauses, and
    // legitimate clients would wait for them.
    this.#inHandshake.set(socket, socket.bytesRead);
    this.#stopWatching ??= this.#timers.eachTurn(() => this.#chargeTurn());
  }

  #unwatch(socket: Socket): void {
    this.#inHandshake.delete(socket);
    if (this.#inHandshake.size > 0) return;
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }

  /**
   * Charges a long turn if a handshake has read bytes in it. OpenSSL processes a client's messages as soon as they are
   * read, even those that do not end the handshake, and does not report it.
   */
  #chargeTurn(): void {
    if (this.#pace.uncharged >= LONG_TURN_MS && this.#hasRead()) this.#pace.charge();
    this.#pace.skip();
  }

  /** Whether any handshake in progress has read bytes since the last check. */
  #hasRead(): boolean {
    let hasRead = false;
    for (const [socket, before] of this.#inHandshake) {
      if (socket.bytesRead === before) continue;
      hasRead = true;
      this.#inHandshake.set(socket, socket.bytesRead);
    }
    return hasRead;
  }
}
