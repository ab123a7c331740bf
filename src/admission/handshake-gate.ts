import type { Socket } from "node:net";
import type { Timers } from "../domain/timers.ts";
import { Pace } from "./pace.ts";
import { HandshakeQueue } from "./handshake-queue.ts";

/**
 * What strangers may take. A peer proves who it is in the handshake: until its end every one of them is a stranger, and
 * what it costs is what anybody can make the server pay.
 */
export interface HandshakeLimits {
  /** Connections that are open, in handshake or served. */
  readonly connections: number;
  /** Connections whose handshake is not over. */
  readonly inProgress: number;
  /** Handshakes that begin in a second. Each costs a millisecond or two of the only thread. */
  readonly perSecond: number;
}

/** Enough for a node full of workloads, of which each shakes hands once in some minutes. */
export const DEFAULT_HANDSHAKE_LIMITS: HandshakeLimits = { connections: 10_000, inProgress: 1024, perSecond: 200 };

/**
 * The most connections that may be served. A sixteenth of all is left for handshakes: one SPIFFE ID that takes every place
 * would otherwise keep all others out, and who a newcomer is shows only after its handshake.
 */
export function mostServed({ connections, inProgress }: HandshakeLimits): number {
  return Math.max(1, connections - Math.min(inProgress, Math.ceil(connections / 16)));
}

/** Why the gate dropped a connection. */
export type GateRefusal =
  /** As many connections as may be are open, and none of them is in handshake. */
  | "too-many-connections"
  /** It was in handshake and gave way to a newer one, since there were too many: {@link HandshakeQueue} says which. */
  | "handshake-displaced";

// Milliseconds of work in one turn of the event loop. No shorter one holds a costly handshake, and to look at every handshake
// under way in each turn would cost more than most of them.
const LONG_TURN_MS = 5;

// Pauses in a second, since no timer is shorter than a millisecond.
const MOST_PAUSES = 1000;

/**
 * Bounds the connections of all listeners together. `enter` when one is accepted, `turn` when its client has said
 * hello, `complete` when it has shaken hands; a connection that closes is forgotten.
 *
 * Handshakes begin one by one with a pause after each, and never many in a row: every call that arrives meanwhile waits
 * for all that the thread has begun. The pause is the longer of two: what the rate leaves to each, and the time that this
 * and other handshakes took ({@link Pace}).
 */
export class HandshakeGate {
  readonly limits: HandshakeLimits;
  readonly #timers: Timers;
  readonly #open = new Set<Socket>();
  readonly #strangers: HandshakeQueue;
  readonly #pace: Pace;
  /** The handshakes under way, with the bytes that had been read of each at the end of the last turn. */
  readonly #shaking = new Map<Socket, number>();
  #stopWatching: (() => void) | undefined;
  #begun = 0;
  #hasRequested = false;

  constructor(limits: HandshakeLimits, timers: Timers, random: () => number = Math.random) {
    this.limits = limits;
    this.#strangers = new HandshakeQueue(random);
    this.#pace = new Pace(timers);
    this.#timers = timers;
  }

  /** Connections that are open, in handshake or served. */
  get open(): number {
    return this.#open.size;
  }

  /** Connections whose handshake is not over. */
  get inProgress(): number {
    return this.#strangers.size;
  }

  /** Handshakes that have begun since the start. */
  get begun(): number {
    return this.#begun;
  }

  /** A connection was accepted. `drop` closes it; false when it was dropped at once. */
  enter(socket: Socket, drop: (reason: GateRefusal) => void): boolean {
    if (this.#isFull() && !this.#strangers.makeRoom()) {
      drop("too-many-connections");
      return false;
    }
    this.#open.add(socket);
    this.#strangers.enter(socket, () => {
      this.#open.delete(socket);
      drop("handshake-displaced");
    });
    socket.once("close", () => this.#forget(socket));
    return true;
  }

  /** Begins a handshake when its turn has come. */
  turn(socket: Socket, begin: () => void): void {
    this.#strangers.hear(socket, () => {
      this.#watch(socket);
      begin();
    });
    this.#advance();
  }

  /** The handshake is complete; `verify` decides who the peer is. The rest that follows is for its work as well. */
  complete(socket: Socket, verify: () => void): void {
    const hasCost = this.#shaking.has(socket);
    this.#unwatch(socket);
    this.#strangers.leave(socket);
    try {
      verify();
    } finally {
      if (hasCost) this.#pace.charge();
    }
  }

  #isFull(): boolean {
    const { connections, inProgress } = this.limits;
    return this.#open.size >= connections || this.#strangers.size >= inProgress;
  }

  #forget(socket: Socket): void {
    this.#open.delete(socket);
    this.#unwatch(socket);
    this.#strangers.leave(socket);
  }

  #advance(): void {
    if (this.#hasRequested) return;
    this.#hasRequested = true;
    this.#pace.next(() => this.#beginNext());
  }

  #beginNext(): void {
    const begun = this.#begin(Math.ceil(this.limits.perSecond / MOST_PAUSES));
    this.#begun += begun;
    if (begun === 0) {
      this.#hasRequested = false;
      return;
    }
    this.#timers.delay((1000 * begun) / this.limits.perSecond, () => {
      this.#hasRequested = false;
      this.#advance();
    });
  }

  /** Begins up to so many, and says how many it was. */
  #begin(most: number): number {
    let begun = 0;
    while (begun < most && this.#strangers.callNext()) begun += 1;
    return begun;
  }

  #watch(socket: Socket): void {
    if (this.#shaking.size === 0) this.#pace.skip();
    // Only what comes after the hello is charged, whose cost the groups bound. While connections pour in, each turn would
    // count for the hellos in it, and good clients would wait for the rests.
    this.#shaking.set(socket, socket.bytesRead);
    this.#stopWatching ??= this.#timers.eachTurn(() => this.#chargeTurn());
  }

  #unwatch(socket: Socket): void {
    this.#shaking.delete(socket);
    if (this.#shaking.size > 0) return;
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }

  /** OpenSSL reads a client's messages by itself, and not all of them end the handshake: bytes show that it has. */
  #chargeTurn(): void {
    if (this.#pace.uncharged >= LONG_TURN_MS && this.#hasRead()) this.#pace.charge();
    this.#pace.skip();
  }

  /** Whether a handshake under way has read bytes since the last look. */
  #hasRead(): boolean {
    let hasRead = false;
    for (const [socket, before] of this.#shaking) {
      if (socket.bytesRead === before) continue;
      hasRead = true;
      this.#shaking.set(socket, socket.bytesRead);
    }
    return hasRead;
  }
}
