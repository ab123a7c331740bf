import { EventEmitter, once } from "node:events";
import type { CofferClient } from "../../src/client/coffer-client.ts";
import { Content } from "../../src/domain/content.ts";

/** The interval between the starts of two calls, in milliseconds: 200 calls a second. */
const PACE_MS = 5;

/**
 * The greatest number of calls in flight. On a machine that can't serve 200 calls a second, more of them would only wait,
 * each longer than the one before, and the rotations would wait for all of them.
 */
const MOST_IN_FLIGHT = 50;

const PATH = "load/secret";
const CONTENT = Content.unchecked([{ key: "k", kind: "text", value: Buffer.from("v") }]);

/**
 * Calls that begin at a constant rate, alternately a Put and a Get. They do not wait for the answers to earlier calls,
 * unless {@link MOST_IN_FLIGHT} are in flight: otherwise no call would begin while the server is unavailable.
 */
export class SteadyLoad {
  /** Descriptions of the failed calls. */
  readonly failures: string[] = [];
  /** The versions that Puts have created, in the order of their answers. */
  readonly versions: number[] = [];
  readonly #client: CofferClient;
  readonly #open = new Set<Promise<void>>();
  readonly #progress = new EventEmitter();
  #timer: NodeJS.Timeout | undefined;
  #since = 0;
  /** The number of calls that were due since then. */
  #due = 0;
  #begun = 0;
  #over = 0;

  private constructor(client: CofferClient) {
    this.#client = client;
    this.resume();
  }

  /** Starts the load. The secret exists before the first Get. */
  static async begin(client: CofferClient): Promise<SteadyLoad> {
    await client.put(PATH, CONTENT);
    return new SteadyLoad(client);
  }

  /** The number of calls that have ended. */
  get over(): number {
    return this.#over;
  }

  /** Resolves when the calls in flight have ended, and then `count` others. */
  async pass(count: number): Promise<void> {
    await Promise.all(this.#open);
    const enough = this.#over + count;
    while (this.#over < enough) await once(this.#progress, "over");
  }

  /** Starts calls again after {@link end}. */
  resume(): void {
    this.#since = performance.now();
    this.#due = 0;
    this.#timer = setInterval(() => this.#catchUp(), PACE_MS);
  }

  /** Starts no more calls, and waits for the last one. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
  }

  /** Starts several calls if the timer is late. Calls for which there is no space are never made. */
  #catchUp(): void {
    const due = (performance.now() - this.#since) / PACE_MS;
    for (; this.#due < due; this.#due++)
      if (this.#open.size < MOST_IN_FLIGHT) this.#begin(this.#begun++ % 2 === 0 ? this.#put() : this.#get());
  }

  #begin(call: Promise<void>): void {
    const over = call
      .catch((error: unknown) => void this.failures.push(String(error)))
      .finally(() => {
        this.#over += 1;
        this.#open.delete(over);
        this.#progress.emit("over");
      });
    this.#open.add(over);
  }

  async #put(): Promise<void> {
    const { version } = await this.#client.put(PATH, CONTENT);
    this.versions.push(version);
  }

  async #get(): Promise<void> {
    await this.#client.get(PATH);
  }
}
