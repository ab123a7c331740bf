import type { Timers } from "../../domain/timers.ts";
import { ExitStatus } from "../exit-status.ts";
import type { RunningCommand } from "./child-command.ts";
import { JoinedRequests } from "./joined-requests.ts";
import type { ChangeReaction } from "./change-reaction.ts";
import type { NewestSecrets, PreparedStart } from "./newest-secrets.ts";
import type { PassedOn } from "./signal-relay.ts";

/** With these signals, users and supervisors end a program. After one of them, the command is not started again. */
const ENDING: readonly PassedOn[] = ["SIGTERM", "SIGINT", "SIGQUIT"];

/** The parts of a running command that this module uses. */
type Command = Pick<RunningCommand, "started" | "ended" | "send">;

/** The dependencies and settings of a {@link SupervisedCommand}. */
export interface SupervisionOptions {
  readonly reaction: ChangeReaction;
  readonly secrets: NewestSecrets;
  /** The minimum time between two reactions, in milliseconds. The first interval begins when the command starts. */
  readonly minIntervalMs: number;
  /** How long the command may take to end after SIGTERM, in milliseconds. Then it gets SIGKILL. */
  readonly graceMs: number;
  readonly timers: Timers;
  /** Starts the command with these variables of secrets. Throws ExitStatus when it can't be run. */
  readonly start: (variables: PreparedStart["variables"]) => Command;
  /** Called when the command runs with these versions, or has received the signal about them. */
  readonly onInUse: (versions: PreparedStart["versions"]) => void;
  /** Called with a text for the user. */
  readonly onNotice: (text: string) => void;
}

/**
 * The command of `coffer run --watch`. It is restarted, or gets a signal, when one of its secrets has a new version. A
 * command that ends by itself is not started again: its status is that of `coffer run`.
 */
export class SupervisedCommand {
  readonly #options: SupervisionOptions;
  readonly #requests: JoinedRequests;
  #command: Command | undefined;
  /** The versions with which the command was started, or about which it has received a signal. */
  #used: PreparedStart["versions"] = new Map();
  /** The start that follows, if the command is being ended for it. */
  #next: PreparedStart | undefined;
  #cancelKill: () => void = () => {};
  #isEnding = false;

  constructor(options: SupervisionOptions) {
    this.#options = options;
    const { timers, minIntervalMs } = options;
    this.#requests = new JoinedRequests({ timers, minIntervalMs, task: () => this.#react() });
  }

  /**
   * Starts the command. Resolves to its status when it ends by itself, or after a signal that ends it. Rejects with
   * ExitStatus when it can't be run.
   */
  async run(first: PreparedStart): Promise<ExitStatus> {
    try {
      let command = await this.#begin(first);
      for (let last = first; ; ) {
        const status = await command.ended;
        this.#cancelKill();
        if (this.#next === undefined || this.#isEnding) return status;
        ({ command, last } = await this.#beginAgain(last));
      }
    } finally {
      this.#requests.cancel();
    }
  }

  /** Takes notice that a secret may have a new version. */
  change(): void {
    this.#requests.request();
  }

  /** Takes notice of a signal that this process has received. */
  notice(signal: PassedOn): void {
    if (ENDING.includes(signal)) this.#isEnding = true;
  }

  /** Passes a signal to the command. */
  pass(signal: PassedOn): void {
    // The command has already received SIGTERM, and many programs exit immediately at a second one.
    if (this.#next !== undefined && signal === "SIGTERM") return;
    this.#command?.send(signal);
  }

  async #begin({ variables, versions }: PreparedStart): Promise<Command> {
    const command = this.#options.start(variables);
    this.#command = command;
    this.#used = versions;
    this.#requests.begin();
    await command.started;
    this.#options.onInUse(versions);
    return command;
  }

  /**
   * Starts the command with the newest versions, or else with those of its last start: Linux refuses a variable of 128 KiB,
   * and a user who may write the secret must not be able to end the command.
   */
  async #beginAgain(last: PreparedStart): Promise<{ readonly command: Command; readonly last: PreparedStart }> {
    const next = this.#takeNext(last);
    try {
      return { command: await this.#begin(next), last: next };
    } catch (error) {
      if (!(error instanceof ExitStatus) || this.#isEnding) throw error;
      this.#options.onNotice(`${error.message}; starting it with the earlier versions`);
      return { command: await this.#begin(last), last };
    }
  }

  /** The newest versions: a secret may have changed again, or disappeared, while the command was ending. */
  #takeNext(last: PreparedStart): PreparedStart {
    const newest = this.#options.secrets.prepare();
    const planned = this.#next ?? last;
    this.#next = undefined;
    return newest.kind === "start" ? newest : planned;
  }

  #react(): void {
    const changed = this.#options.secrets.changedSince(this.#used);
    if (changed.length === 0 || this.#next !== undefined || this.#isEnding) return;
    const { reaction } = this.#options;
    if (reaction.kind === "restart") this.#restart(changed);
    else this.#signal(reaction.signal, changed);
  }

  #restart(changed: readonly string[]): void {
    const { secrets, onNotice } = this.#options;
    const next = secrets.prepare();
    if (next.kind === "start") {
      onNotice(`restarting the command: ${changed.join(", ")}`);
      this.#end(next);
    } else onNotice(`the command is not restarted: ${next.text}`);
  }

  #signal(signal: PassedOn, changed: readonly string[]): void {
    const { secrets, onNotice, onInUse } = this.#options;
    onNotice(`sending ${signal} to the command: ${changed.join(", ")}`);
    this.#used = secrets.versions;
    this.#requests.begin();
    this.#command?.send(signal);
    onInUse(this.#used);
  }

  #end(next: PreparedStart): void {
    const { timers, graceMs } = this.#options;
    this.#next = next;
    this.#command?.send("SIGTERM");
    this.#cancelKill = timers.delay(graceMs, () => this.#command?.send("SIGKILL"));
  }
}
