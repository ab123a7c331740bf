import type { Environment } from "../../config/option.ts";
import { KeyedQueue } from "../../domain/keyed-queue.ts";
import type { ExitStatus } from "../exit-status.ts";
import type { ChildCommand, RunningCommand } from "../run/child-command.ts";
import { type ShownChange, changeJson } from "./shown-change.ts";

/**
 * How many changes may wait for the command. While so many wait, the stream is not read. Of the changes that the stream
 * does not deliver, the server keeps only the newest of each secret.
 */
const MAX_WAITING = 1024;

/** The dependencies of {@link ChangeCommands}. */
export interface ChangeCommandsOptions {
  /** The command, which sh interprets. */
  readonly command: string;
  readonly env: Environment;
  /** Starts a command. Throws ExitStatus when it can't be run. */
  readonly start: (command: ChildCommand) => Pick<RunningCommand, "ended" | "send">;
  /** Called when the command for a change has ended with status 0. */
  readonly onDone: (change: ShownChange) => void;
  /** Called with a text for the user. */
  readonly onNotice: (text: string) => void;
}

/**
 * Runs the command of `coffer watch --exec` for each change, one at a time. A change that waits is replaced by a newer one
 * of the same secret.
 */
export class ChangeCommands {
  readonly #options: ChangeCommandsOptions;
  /** By path, in the order of the last change. */
  readonly #waiting = new KeyedQueue<string, ShownChange>();
  #current: Pick<RunningCommand, "ended" | "send"> | undefined;
  #work: Promise<void> = Promise.resolve();
  #isWorking = false;
  #isEnded = false;
  /** Called when a change has left the queue. */
  #taken: () => void = () => {};
  /** How many commands did not end with status 0. */
  failures = 0;

  constructor(options: ChangeCommandsOptions) {
    this.#options = options;
  }

  /** Runs the command for a change, after those that wait. Resolves when there is space for another one. */
  async add(change: ShownChange): Promise<void> {
    this.#waiting.put(change.path, change);
    if (!this.#isWorking) this.#work = this.#runAll();
    while (this.#waiting.size > MAX_WAITING) await new Promise<void>((resolve) => (this.#taken = resolve));
  }

  /** Resolves when no command runs, and none waits. */
  idle(): Promise<void> {
    return this.#work;
  }

  /** Sends a signal to the command that runs. */
  send(signal: NodeJS.Signals): void {
    this.#current?.send(signal);
  }

  /** Starts no more commands. */
  end(): void {
    this.#isEnded = true;
    this.#waiting.clear();
    this.#taken();
  }

  async #runAll(): Promise<void> {
    this.#isWorking = true;
    for (let change = this.#take(); change !== undefined; change = this.#take()) await this.#run(change);
    this.#isWorking = false;
  }

  #take(): ShownChange | undefined {
    const first = this.#waiting.take();
    if (first === undefined) return undefined;
    this.#taken();
    return first[1];
  }

  async #run(change: ShownChange): Promise<void> {
    const problem = await this.#problemOf(change);
    this.#current = undefined;
    // The signal that ends this process usually ends the command too.
    if (this.#isEnded) return;
    if (problem === undefined) return this.#options.onDone(change);
    this.failures += 1;
    this.#options.onNotice(`the command for ${change.path} ${change.version ?? change.state} ${problem}`);
  }

  async #problemOf(change: ShownChange): Promise<string | undefined> {
    const { start, command, env } = this.#options;
    try {
      const input = changeJson(change);
      this.#current = start({
        program: "sh",
        arguments: ["-c", command],
        env: { ...env, ...variablesOf(change) },
        input,
      });
      const { status } = await this.#current.ended;
      return status === 0 ? undefined : `exited with ${status}`;
    } catch (error) {
      return `failed: ${(error as ExitStatus).message}`;
    }
  }
}

/** The variables of the command. None contains a secret value: other processes of this user can read its environment. */
function variablesOf({ path, version, state }: ShownChange): Record<string, string> {
  return { COFFER_PATH: path, COFFER_VERSION: version === undefined ? "" : String(version), COFFER_STATE: state };
}
