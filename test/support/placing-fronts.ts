import { type Socket, connect } from "node:net";
import { MessageChannel, Worker } from "node:worker_threads";
import { ConnectionCounts } from "../../src/admission/connection-counts.ts";
import type { ListenAddress } from "../../src/admission/listener.ts";
import { nextEvent } from "./next-event.ts";
import type { FrontData } from "./placing-front.ts";

/** A client's connection, and what its front wrote first. */
export interface Placed {
  readonly socket: Socket;
  readonly front: number;
  /** The port of the client, as its front sees it; NaN on a unix socket. */
  readonly port: number;
}

/** Fronts in real threads that place connections as a server does, and return every byte. */
export class PlacingFronts {
  readonly counts: ConnectionCounts;
  readonly #workers: Worker[] = [];
  readonly #paused = new Int32Array(new SharedArrayBuffer(4));
  #address: ListenAddress | undefined;

  private constructor(fronts: number) {
    this.counts = ConnectionCounts.of(fronts);
  }

  static async start(
    fronts: number,
    address: ListenAddress = { kind: "tcp", host: "127.0.0.1", port: 0 },
  ): Promise<PlacingFronts> {
    const started = new PlacingFronts(fronts);
    await started.#start(fronts, address);
    return started;
  }

  /** The number of connections of each front. */
  numbers(fronts: number): number[] {
    return Array.from({ length: fronts }, (_, front) => this.counts.of(front));
  }

  /** Connects. Resolves before the front answers. */
  async open(): Promise<Socket> {
    const address = this.#address;
    const socket = address?.kind === "unix" ? connect(address.path) : connect(address?.port ?? 0, "127.0.0.1");
    await nextEvent(socket, "connect");
    return socket;
  }

  async connect(): Promise<Placed> {
    const socket = await this.open();
    return { socket, ...(await firstLine(socket)) };
  }

  /** Stops the thread of a front at its next event. */
  async pause(front: number): Promise<void> {
    Atomics.store(this.#paused, 0, 1);
    this.#workers[front]?.postMessage("pause");
    await nextEvent(this.#workers[front]!, "message");
  }

  resume(): void {
    Atomics.store(this.#paused, 0, 0);
    Atomics.notify(this.#paused, 0);
  }

  async stop(): Promise<void> {
    this.resume();
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  async #start(fronts: number, address: ListenAddress): Promise<void> {
    const channels = Array.from({ length: fronts }, () => new MessageChannel());
    for (const own of channels.keys()) {
      const ports = own === 0 ? channels.map(({ port1 }) => port1) : [channels[own]!.port2];
      const shared = { counts: this.counts.memory, paused: this.#paused.buffer as SharedArrayBuffer };
      const workerData: FrontData = { ...shared, own, ports, address };
      const entry = new URL("./placing-front.js", import.meta.url);
      const worker = new Worker(entry, { workerData, transferList: [...ports] });
      this.#workers.push(worker);
      const [message] = await nextEvent(worker, "message");
      if (own === 0) this.#address = message as ListenAddress;
    }
  }
}

/** Reads the line that a front writes first. */
async function firstLine(socket: Socket): Promise<{ readonly front: number; readonly port: number }> {
  let text = "";
  while (!text.includes("\n")) text += String((await nextEvent(socket, "data"))[0]);
  const [front, port] = text.split(" ");
  return { front: Number(front), port: Number(port) };
}
