import type { ListenAddress } from "../admission/listener.ts";
import { StartRefused } from "../domain/start-refused.ts";
import type { IdentityState } from "../identity/source.ts";
import type { Port } from "../threads/port.ts";
import type { FrontControl } from "./front-control.ts";
import { identityMessage } from "./identity-mirror.ts";
import type { NumberedOrder, Order, Report } from "./orders.ts";

/** The thread of a front. */
export interface FrontThread {
  /** Orders go to the front, reports come back. */
  readonly port: Port<Report, NumberedOrder>;
  /** Ends the thread immediately, whatever it does. Resolves when it has ended. */
  end(): Promise<void>;
}

interface Waiting {
  readonly resolve: (addresses: readonly ListenAddress[]) => void;
  readonly reject: (error: Error) => void;
}

/** A front in another thread, as the store thread sees it. */
export class RemoteFront implements FrontControl {
  readonly #thread: FrontThread;
  readonly #appendLog: (lines: string) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ready: Promise<void>;
  #onReady = () => {};
  #state: "starting" | "ready" | "ended" = "starting";
  #last = 0;
  /** The state of the identity that was sent last. */
  #identity: IdentityState | undefined;

  /** `appendLog` receives the log lines of the front. */
  constructor(thread: FrontThread, appendLog: (lines: string) => void) {
    this.#thread = thread;
    this.#appendLog = appendLog;
    this.#ready = new Promise((resolve) => {
      this.#onReady = resolve;
    });
    thread.port.onMessage((report) => this.#receive(report));
  }

  /** Resolves when the front can serve calls, or has ended. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** Sends the current state of the server's identity. */
  adoptIdentity(state: IdentityState): void {
    this.#send({ kind: "identity", state: identityMessage(state, this.#identity) });
    this.#identity = state;
  }

  open(): Promise<readonly ListenAddress[]> {
    return this.#order({ kind: "open" });
  }

  leave(): void {
    this.#send({ kind: "leave" });
  }

  refuseCalls(): void {
    this.#send({ kind: "refuse calls" });
  }

  async stopListening(): Promise<void> {
    await this.#order({ kind: "stop listening" });
  }

  async drain(graceMs: number): Promise<void> {
    await this.#order({ kind: "drain", graceMs });
  }

  async settled(): Promise<void> {
    await this.#order({ kind: "settle" });
  }

  async close(): Promise<void> {
    if (this.#state === "ended") return;
    // A thread that is still loading has no connection to close.
    if (this.#state === "ready") await this.#order({ kind: "close" });
    this.#state = "ended";
    this.#thread.port.close();
    for (const { resolve } of this.#waiting.values()) resolve([]);
    this.#waiting.clear();
    this.#onReady();
    await this.#thread.end();
  }

  /** Sends an order without waiting for its end. Such an order can't be refused. */
  #send(order: Order): void {
    void this.#order(order);
  }

  #order(order: Order): Promise<readonly ListenAddress[]> {
    if (this.#state === "ended") return Promise.resolve([]);
    this.#last += 1;
    const numbered: NumberedOrder = { number: this.#last, order };
    this.#thread.port.post(numbered);
    return new Promise((resolve, reject) => this.#waiting.set(numbered.number, { resolve, reject }));
  }

  #receive(report: Report): void {
    switch (report.kind) {
      case "ready":
        this.#state = "ready";
        this.#onReady();
        break;
      case "log":
        this.#appendLog(report.lines);
        break;
      case "done":
        this.#take(report.number)?.resolve(report.addresses);
        break;
      case "refused":
        this.#take(report.number)?.reject(new StartRefused(report.problems));
    }
  }

  #take(number: number): Waiting | undefined {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    return waiting;
  }
}
