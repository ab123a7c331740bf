import { isIPv6, type Socket } from "node:net";

/** A stranger, and what closes its connection. */
interface Guest {
  readonly crowd: Crowd;
  readonly drop: () => void;
}

/** A stranger that has said hello, and what begins its handshake. */
interface Waiting {
  readonly socket: Socket;
  readonly crowd: Crowd;
  readonly begin: () => void;
}

/** The strangers from one address, in the order of their arrival. */
class Crowd {
  readonly address: string;
  readonly #silent = new Set<Socket>();
  readonly #heard = new Set<Socket>();

  constructor(address: string) {
    this.address = address;
  }

  get size(): number {
    return this.#silent.size + this.#heard.size;
  }

  /** Who gives way: before all, one that has not said hello. A good client does with the packet after its connection. */
  get weakest(): Socket | undefined {
    const [silent] = this.#silent;
    const [heard] = this.#heard;
    return silent ?? heard;
  }

  add(socket: Socket): void {
    this.#silent.add(socket);
  }

  hear(socket: Socket): void {
    this.#silent.delete(socket);
    this.#heard.add(socket);
  }

  remove(socket: Socket): void {
    this.#silent.delete(socket);
    this.#heard.delete(socket);
  }
}

/**
 * The strangers: connections whose handshake is not over. It says whose turn it is to begin, and who has to give way
 * when there are too many, by all that is known of a stranger: its address, whether it has said hello, and when.
 *
 * - The address with the fewest strangers comes first, and the one with the most gives way. Whoever floods us takes from
 *   itself, and not from peers at other addresses. All peers on unix sockets have the same address, an empty one. Of
 *   several addresses with as few, chance decides: a flood from thousands of them must not always be before good peers.
 * - Of one address, the newest comes first and the oldest gives way. A good peer is through within a round trip; those
 *   that stall stay. First come, first served would make the next good one wait for all that a flood has left behind.
 */
export class HandshakeQueue {
  readonly #random: () => number;
  readonly #guests = new Map<Socket, Guest>();
  readonly #crowds = new Map<string, Crowd>();
  /** Those that have said hello and were not called yet, in the order of the hellos. */
  readonly #waiting = new Map<Socket, Waiting>();

  /** `random` is in [0, 1), each time another one. */
  constructor(random: () => number) {
    this.#random = random;
  }

  get size(): number {
    return this.#guests.size;
  }

  /** A stranger came. `drop` is called if it has to give way. */
  enter(socket: Socket, drop: () => void): void {
    const address = neighbourhood(socket.remoteAddress ?? "");
    const crowd = this.#crowds.get(address) ?? new Crowd(address);
    this.#crowds.set(address, crowd);
    crowd.add(socket);
    this.#guests.set(socket, { crowd, drop });
  }

  /** It has said hello; `begin` is called when its turn comes. */
  hear(socket: Socket, begin: () => void): void {
    const guest = this.#guests.get(socket);
    // It had to give way before it was heard.
    if (guest === undefined) return;
    guest.crowd.hear(socket);
    this.#waiting.set(socket, { socket, crowd: guest.crowd, begin });
  }

  /** It left, or is no stranger any more. */
  leave(socket: Socket): void {
    const crowd = this.#guests.get(socket)?.crowd;
    if (crowd === undefined) return;
    this.#guests.delete(socket);
    this.#waiting.delete(socket);
    crowd.remove(socket);
    if (crowd.size === 0) this.#crowds.delete(crowd.address);
  }

  /** Makes one give way; false when there is nobody. */
  makeRoom(): boolean {
    let largest: Crowd | undefined;
    for (const crowd of this.#crowds.values()) if (crowd.size > (largest?.size ?? 0)) largest = crowd;
    const socket = largest?.weakest;
    if (socket === undefined) return false;
    const guest = this.#guests.get(socket);
    this.leave(socket);
    guest?.drop();
    return true;
  }

  /** Begins the handshake whose turn it is; false when nobody waits. */
  callNext(): boolean {
    const next = this.#next();
    if (next === undefined) return false;
    this.#waiting.delete(next.socket);
    next.begin();
    return true;
  }

  #next(): Waiting | undefined {
    const newest = new Map<Crowd, Waiting>();
    for (const waiting of this.#waiting.values()) newest.set(waiting.crowd, waiting);
    const fewest = Math.min(...[...newest.keys()].map(({ size }) => size));
    const first = [...newest].filter(([{ size }]) => size === fewest);
    return first[Math.floor(this.#random() * first.length)]?.[1];
  }
}

/** What one host has to itself: an IPv4 address, or the /64 of an IPv6 one (RFC 6177), any address of which it may use. */
function neighbourhood(address: string): string {
  if (!isIPv6(address) || address.startsWith("::ffff:")) return address;
  const [head = "", tail] = address.split("::");
  const groups = head.split(":");
  const missing = tail === undefined ? [] : Array<string>(8).fill("0");
  return [...groups, ...missing].slice(0, 4).join(":");
}
