import type { Socket } from "node:net";
import { Adoption } from "../admission/adoption.ts";
import type { ConnectionAdmission } from "../admission/connection-admission.ts";
import type { ConnectionCounts } from "../admission/connection-counts.ts";
import { loadDuplicate } from "../admission/descriptor.ts";
import { type ListenAddress, Listener } from "../admission/listener.ts";
import { Placement } from "../admission/placement.ts";
import { formatAddress } from "../domain/address.ts";
import type { Logger } from "../observability/logger.ts";
import type { Port } from "../threads/port.ts";

/** Where the connections of a front come from. */
export interface Intake {
  /** Begins to pass connections to `admission`. Resolves to the addresses on which it listens. */
  begin(admission: ConnectionAdmission): Promise<readonly ListenAddress[]>;

  /** Passes no more connections. When it returns, every connection that another front has placed here has been passed. */
  end(): void;

  /** Closes connections that arrive from now on. */
  close(): void;
}

/** The numbers of descriptors, from the front that accepts to another one, which then owns them. */
export type DescriptorPort = Port<number, number>;

/** Where connections go, if the front that accepts is one of several. */
export interface Spread {
  readonly counts: ConnectionCounts;
  /** The ports to the fronts by their numbers. The front that accepts has none. */
  readonly ports: ReadonlyMap<number, DescriptorPort>;
  /** The maximum number of connections of a front, including those on the way to it. */
  readonly most: number;
}

/** The number of the front that accepts. */
export const ACCEPTING = 0;

/** Accepts connections. Serves each on this front or, with a `spread`, on the front that has the fewest. */
export class Listeners implements Intake {
  readonly #addresses: readonly ListenAddress[];
  readonly #spread: Spread | undefined;
  readonly #log: Logger;
  readonly #open: Listener[] = [];

  /** `spread` is undefined if this is the only front. */
  constructor(addresses: readonly ListenAddress[], spread: Spread | undefined, log: Logger) {
    this.#addresses = addresses;
    this.#spread = spread;
    this.#log = log;
  }

  /** Rejects with ListenRefused, or with PassingRefused if connections can't be passed to other fronts. */
  async begin(admission: ConnectionAdmission): Promise<readonly ListenAddress[]> {
    const accept = await this.#acceptor(admission);
    for (const address of this.#addresses) {
      const listener = await Listener.listen(address, { accept, failed: (error) => admission.notAccepted(error) });
      this.#open.push(listener);
      this.#log.info("listening", { address: formatAddress(listener.address) });
    }
    return this.#open.map(({ address }) => address);
  }

  end(): void {
    for (const listener of this.#open) listener.close();
  }

  close(): void {
    this.end();
  }

  async #acceptor(admission: ConnectionAdmission): Promise<(socket: Socket) => void> {
    if (this.#spread === undefined) return (socket) => admission.receive(socket);
    const { ports, ...spread } = this.#spread;
    const placement = new Placement({
      ...spread,
      own: ACCEPTING,
      post: (front, descriptor) => portTo(ports, front).post(descriptor),
      duplicate: await loadDuplicate(),
      receive: (socket) => admission.receive(socket),
      refuse: (socket) => admission.refuse(socket),
    });
    return (socket) => placement.place(socket);
  }
}

/** The port to a front. Throws if there is none. */
export function portTo(ports: Spread["ports"], front: number): DescriptorPort {
  const port = ports.get(front);
  if (port === undefined) throw new Error(`there is no port to front ${front}`);
  return port;
}

/** Receives the connections that another front has accepted. */
export class Adopted implements Intake {
  readonly #port: DescriptorPort;
  readonly #counts: ConnectionCounts;
  readonly #own: number;
  /** Undefined until {@link begin} is called. No descriptor arrives before. */
  #adoption: Adoption | undefined;

  /** `own` is the number of this front. */
  constructor(port: DescriptorPort, counts: ConnectionCounts, own: number) {
    this.#port = port;
    this.#counts = counts;
    this.#own = own;
  }

  async begin(admission: ConnectionAdmission): Promise<readonly ListenAddress[]> {
    const adoption = new Adoption({
      counts: this.#counts,
      own: this.#own,
      receive: (socket) => admission.receive(socket),
      failed: (error) => admission.notAccepted(error),
    });
    this.#adoption = adoption;
    this.#port.onMessage((descriptor) => adoption.adopt(descriptor));
    return [];
  }

  end(): void {
    for (let fd = this.#port.receive(); fd !== undefined; fd = this.#port.receive()) this.#adoption?.adopt(fd);
  }

  close(): void {
    this.#adoption?.close();
    this.end();
  }
}
