import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Target } from "./job.ts";

/** What idle clients are told. */
export interface Idling {
  readonly target: Target;
  readonly connections: number;
}

/** Clients in a process of their own that have each made a call, and now keep their connections. */
export class Idlers {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Resolves when all of them are idle. Rejects when one of them was not served. */
  static async gather(idling: Idling): Promise<Idlers> {
    const child = fork(new URL("./idler.js", import.meta.url));
    child.send(idling);
    const [news] = await Promise.race([once(child, "message"), once(child, "exit")]);
    if (news !== "idle") throw new Error(`idle clients ended with exit code ${news}; ulimit -n may be too low`);
    return new Idlers(child);
  }

  /** Rejects when they are no longer all there. */
  async leave(): Promise<void> {
    if (this.#process.exitCode !== null) throw new Error("a connection of an idle client was closed");
    const ended = once(this.#process, "exit");
    this.#process.disconnect();
    await ended;
  }
}
