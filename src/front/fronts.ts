import type { ListenAddress } from "../admission/listener.ts";
import type { FrontControl } from "./front-control.ts";

/** The fronts of a server. The first one listens, and passes connections to the others. */
export class Fronts {
  readonly #first: FrontControl;
  readonly #others: readonly FrontControl[];
  #addresses: readonly ListenAddress[] = [];
  #isOpen = false;

  constructor(first: FrontControl, ...others: readonly FrontControl[]) {
    this.#first = first;
    this.#others = others;
  }

  /** The addresses of the listeners. Port 0 is replaced by the actual port. */
  get addresses(): readonly ListenAddress[] {
    return this.#addresses;
  }

  /** Whether calls may have arrived. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Serves calls. Rejects with ListenRefused. */
  async open(): Promise<void> {
    // The first accepts for the others, so they must be able to serve a connection before it listens.
    await Promise.all(this.#others.map((front) => front.open()));
    this.#isOpen = true;
    this.#addresses = await this.#first.open();
  }

  /** See {@link FrontControl.leave}. */
  leave(): void {
    for (const front of this.#all) front.leave();
  }

  /** Accepts no more connections, and closes each after its last answer; see {@link FrontControl.drain}. */
  async drain(graceMs: number): Promise<void> {
    // Every connection that was accepted is on its way to its front before any front decides that it has none left.
    await this.#first.stopListening();
    await Promise.all(this.#all.map((front) => front.drain(graceMs)));
  }

  /** Accepts neither connections nor calls. Responses that are being sent get `graceMs` milliseconds. */
  async fail(graceMs: number): Promise<void> {
    for (const front of this.#all) front.refuseCalls();
    await this.drain(graceMs);
  }

  /** Resolves when everything that was sent to the fronts before has taken effect in all of them. */
  async settled(): Promise<void> {
    await Promise.all(this.#all.map((front) => front.settled()));
  }

  /** Closes every connection immediately, and ends all fronts. */
  async close(): Promise<void> {
    await Promise.all(this.#all.map((front) => front.close()));
  }

  get #all(): readonly FrontControl[] {
    return [this.#first, ...this.#others];
  }
}
