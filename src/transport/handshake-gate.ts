import type { Socket } from "node:net";
import type { Timers } from "../domain/timers.ts";

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

/** Why the gate dropped a connection. */
export type GateRefusal =
  /** As many connections as may be are open. */
  | "too-many-connections"
  /** It had been in handshake for longest when there were too many: a good peer takes milliseconds, a silent one stays. */
  | "handshake-displaced";

interface Waiting {
  readonly socket: Socket;
  readonly begin: () => void;
}

/**
 * Bounds the connections of all listeners together. `enter` when one is accepted, `turn` when its client has said
 * hello, `done` when its handshake is over; a connection that closes is forgotten.
 */
export class HandshakeGate {
  readonly #limits: HandshakeLimits;
  readonly #timers: Timers;
  readonly #open = new Set<Socket>();
  /** In the order in which they were accepted, each with what drops it. */
  readonly #inProgress = new Map<Socket, (reason: GateRefusal) => void>();
  #queue: Waiting[] = [];
  #tokens: number;
  #refilledAt: number;
  #refilling = false;

  constructor(limits: HandshakeLimits, timers: Timers) {
    this.#limits = limits;
    this.#timers = timers;
    this.#tokens = limits.perSecond;
    this.#refilledAt = timers.elapsed();
  }

  /** Connections whose handshake is not over. */
  get inProgress(): number {
    return this.#inProgress.size;
  }

  /** A connection was accepted. `drop` closes it; false when it was dropped at once. */
  enter(socket: Socket, drop: (reason: GateRefusal) => void): boolean {
    if (this.#open.size >= this.#limits.connections) {
      drop("too-many-connections");
      return false;
    }
    if (this.#inProgress.size >= this.#limits.inProgress) this.#dropOldest();
    this.#open.add(socket);
    this.#inProgress.set(socket, drop);
    socket.once("close", () => this.#forget(socket));
    return true;
  }

  /** Begins a handshake as soon as the rate allows it, in the order of the calls. */
  turn(socket: Socket, begin: () => void): void {
    this.#queue.push({ socket, begin });
    this.#advance();
  }

  /** The handshake is over. */
  done(socket: Socket): void {
    this.#inProgress.delete(socket);
  }

  #dropOldest(): void {
    const [oldest] = this.#inProgress;
    const [socket, drop] = oldest!;
    this.#forget(socket);
    drop("handshake-displaced");
  }

  #forget(socket: Socket): void {
    this.#open.delete(socket);
    this.#inProgress.delete(socket);
  }

  #advance(): void {
    this.#refill();
    this.#queue = this.#queue.filter(({ socket }) => this.#inProgress.has(socket));
    for (const { begin } of this.#queue.splice(0, Math.floor(this.#tokens))) {
      this.#tokens -= 1;
      begin();
    }
    if (this.#queue.length === 0 || this.#refilling) return;
    this.#refilling = true;
    this.#timers.delay(1000 / this.#limits.perSecond, () => {
      this.#refilling = false;
      this.#advance();
    });
  }

  #refill(): void {
    const now = this.#timers.elapsed();
    const earned = ((now - this.#refilledAt) / 1000) * this.#limits.perSecond;
    this.#tokens = Math.min(this.#limits.perSecond, this.#tokens + earned);
    this.#refilledAt = now;
  }
}
