import { type ChildProcess, type Serializable, fork } from "node:child_process";
import { once } from "node:events";

/**
 * Clients in a separate process, so that their work does not count as the server's. The process receives one job, sends
 * a count once it has started, and sends the final count when it receives "stop".
 */
export class ClientProcess<Count> {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /**
   * Resolves when the process has sent its first count. Rejects if the process ends earlier. `module` is relative to this
   * folder.
   */
  static async start<Count>(module: string, job: Serializable): Promise<ClientProcess<Count>> {
    const clients = new ClientProcess<Count>(fork(new URL(module, import.meta.url), { serialization: "advanced" }));
    clients.#process.send(job);
    await clients.#count();
    return clients;
  }

  /** Ends the process, and with it each of its connections. */
  async stop(): Promise<Count> {
    this.#process.send("stop");
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
