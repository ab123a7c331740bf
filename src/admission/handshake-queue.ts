import { isIPv6, type Socket } from "node:net";

/** A connection whose handshake is not complete. `drop` closes it. */
interface Pending {
  readonly source: Source;
  readonly drop: () => void;
}

/** A connection whose ClientHello has arrived. `begin` begins its handshake. */
interface Waiting {
  readonly socket: Socket;
  readonly source: Source;
  readonly begin: () => void;
}

/** The pending connections from one source, in the order of their arrival. */
class Source {
  readonly address: string;
  readonly #silent = new Set<Socket>();
  readonly #withHello = new Set<Socket>();

  constructor(address: string) {
    this.address = address;
  }

  get size(): number {
    return this.#silent.size + this.#withHello.size;
  }

  /**
   * The connection to close at the limit: the oldest without a ClientHello, or the oldest if all have sent one. A
   * legitimate client sends its ClientHello as soon as it is connected.
   */
  get firstToDrop(): Socket | undefined {
    const [silent] = this.#silent;
    const [withHello] = this.#withHello;
    return silent ?? withHello;
  }

  add(socket: Socket): void {
    this.#silent.add(socket);
  }

  helloArrived(socket: Socket): void {
    this.#silent.delete(socket);
    this.#withHello.add(socket);
  }

  remove(socket: Socket): void {
    this.#silent.delete(socket);
    this.#withHello.delete(socket);
  }
}

/**
 * The connections whose handshake is not complete. It selects the next handshake to begin, and the connection to close
 * at the limit. It uses all that is known of an unauthenticated peer: its address, and whether and when its ClientHello
 * arrived.
 *
 * - The source with the fewest pending connections begins first, and the one with the most loses a connection. A flood
 *   therefore delays itself, not peers at other addresses. All peers on unix sockets have the same address, an empty
 *   one. Among several sources with the fewest, the choice is random, so that a flood from thousands of addresses is
 *   not always ahead of legitimate peers.
 * - Within one source, the newest begins first and the oldest is closed. A legitimate peer completes within a round
 *   trip, and stalled ones remain. With first come, first served, the next legitimate peer would wait for all
 *   connections that a flood has left behind.
 */
export class HandshakeQueue {
  readonly #random: () => number;
  readonly #pending = new Map<Socket, Pending>();
  readonly #sources = new Map<string, Source>();
  /** The connections that wait for their handshake to begin, in the order in which their ClientHellos arrived. */
  readonly #waiting = new Map<Socket, Waiting>();

  /** `random` returns a new number in [0, 1) at each call. */
  constructor(random: () => number) {
    this.#random = random;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Adds a connection. `drop` is called if it is to be closed at the limit. */
  enter(socket: Socket, drop: () => void): void {
    const address = sourceAddress(socket.remoteAddress ?? "");
    const source = this.#sources.get(address) ?? new Source(address);
    this.#sources.set(address, source);
    source.add(socket);
    this.#pending.set(socket, { source, drop });
  }

  /** The connection's ClientHello has arrived. `begin` is called when its handshake may begin. */
  helloArrived(socket: Socket, begin: () => void): void {
    const pending = this.#pending.get(socket);
    // The connection was closed at the limit before its ClientHello was processed.
    if (pending === undefined) return;
    pending.source.helloArrived(socket);
    this.#waiting.set(socket, { socket, source: pending.source, begin });
  }

  /** Removes a connection: it is closed, or its handshake is complete. */
  leave(socket: Socket): void {
    const source = this.#pending.get(socket)?.source;
    if (source === undefined) return;
    this.#pending.delete(socket);
    this.#waiting.delete(socket);
    source.remove(socket);
    if (source.size === 0) this.#sources.delete(source.address);
  }

  /** Closes one connection; false if there is none. */
  dropOne(): boolean {
    let largest: Source | undefined;
    for (const source of this.#sources.values()) if (source.size > (largest?.size ?? 0)) largest = source;
    const socket = largest?.firstToDrop;
    if (socket === undefined) return false;
    const pending = this.#pending.get(socket);
    this.leave(socket);
    pending?.drop();
    return true;
  }

  /** Begins the next handshake; false if none is waiting. */
  beginNext(): boolean {
    const next = this.#next();
    if (next === undefined) return false;
    this.#waiting.delete(next.socket);
    next.begin();
    return true;
  }

  #next(): Waiting | undefined {
    const newest = new Map<Source, Waiting>();
    for (const waiting of this.#waiting.values()) newest.set(waiting.source, waiting);
    const fewest = Math.min(...[...newest.keys()].map(({ size }) => size));
    const first = [...newest].filter(([{ size }]) => size === fewest);
    return first[Math.floor(this.#random() * first.length)]?.[1];
  }
}

/**
 * The address that identifies a source: an IPv4 address, or the /64 prefix of an IPv6 address, because a host can
 * choose any address in its /64 (RFC 4291 2.5.1).
 */
function sourceAddress(address: string): string {
  if (!isIPv6(address) || address.startsWith("::ffff:")) return address;
  const [head = "", tail] = address.split("::");
  const groups = head.split(":");
  const missing = tail === undefined ? [] : Array<string>(8).fill("0");
  return [...groups, ...missing].slice(0, 4).join(":");
}
