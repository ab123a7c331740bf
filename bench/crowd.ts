import { type ChildProcess, type Serializable, fork } from "node:child_process";
import { once } from "node:events";

/**
 * Clients in a process of their own, so that their work is not the server's. The process receives one set of orders,
 * sends a count once it has begun, and sends the final count when it receives "leave".
 */
export class Crowd<Count> {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Resolves when the process has begun. Rejects when it ends before. `module` is relative to this folder. */
  static async gather<Count>(module: string, orders: Serializable): Promise<Crowd<Count>> {
    const crowd = new Crowd<Count>(fork(new URL(module, import.meta.url), { serialization: "advanced" }));
    crowd.#process.send(orders);
    await crowd.#count();
    return crowd;
  }

  /** Ends the process, and with it each of its connections. */
  async leave(): Promise<Count> {
    this.#process.send("leave");
    return this.#count();
  }

  async #count(): Promise<Count> {
    const ended = once(this.#process, "exit").then(([code]) => {
      throw new Error(`the clients ended with exit code ${code}; ulimit -n may be too low`);
    });
    ended.catch(() => {});
    const [count] = await Promise.race([once(this.#process, "message"), ended]);
    return count as Count;
  }
}
