import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Target } from "./job.ts";

/** The job of a process of idle clients. */
export interface IdleJob {
  readonly target: Target;
  readonly connections: number;
  /** Whether each of them also watches a secret of its own. Default: false. */
  readonly areWatching?: boolean;
}

/** Clients in a separate process that have made one call each, and keep their connections. */
export class IdleClients {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Resolves when all clients are idle. Rejects if one of them was not served. */
  static async start(job: IdleJob): Promise<IdleClients> {
    const child = fork(new URL("./idle-clients-process.js", import.meta.url));
    child.send(job);
    const [report] = await Promise.race([once(child, "message"), once(child, "exit")]);
    if (report !== "idle") throw new Error(`idle clients ended with exit code ${report}; ulimit -n may be too low`);
    return new IdleClients(child);
  }

  /** Disconnects all clients. Rejects if a connection was closed before. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) throw new Error("a connection of an idle client was closed");
    const ended = once(this.#process, "exit");
    this.#process.disconnect();
    await ended;
  }
}
