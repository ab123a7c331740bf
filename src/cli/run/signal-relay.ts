import { constants } from "node:os";
import { ExitStatus } from "../exit-status.ts";

/** What people, terminals and supervisors send to a workload. */
const PASSED_ON = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH"] as const;

type PassedOn = (typeof PASSED_ON)[number];

/** What a terminal sends to every process in its foreground. */
const OF_TERMINALS: readonly PassedOn[] = ["SIGINT", "SIGQUIT", "SIGWINCH"];

/** What a relay needs of its surroundings. */
export interface SignalRelayOptions {
  /** The process's own. */
  readonly on: (signal: PassedOn, listener: () => void) => unknown;
  /** Whether the terminal's signals reach the command without us. */
  readonly isInForeground: () => boolean;
}

/**
 * Takes the signals that are meant for the command that `coffer run` runs. It listens from the beginning: as a
 * container's first process we would not even be ended by a signal that nobody listens to, and for SIGUSR1 Node would
 * open a debugger.
 */
export class SignalRelay {
  readonly #isInForeground: () => boolean;
  #receive: (signal: PassedOn) => void = () => {};

  constructor({ on, isInForeground }: SignalRelayOptions) {
    this.#isInForeground = isInForeground;
    for (const signal of PASSED_ON) on(signal, () => this.#receive(signal));
  }

  /**
   * What `work` comes to, before there is a command. Rejects with ExitStatus at the first signal that would end a
   * program that does not listen.
   */
  until<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#receive = (signal) => {
        if (signal !== "SIGWINCH") reject(endedBy(signal, `ended by ${signal} before the command was run`));
      };
      work.then(resolve, reject);
    });
  }

  /** From now on `send` gets each signal, unless the command has it from the terminal: twice may mean something else. */
  passTo(send: (signal: PassedOn) => void): void {
    this.#receive = (signal) => {
      if (!OF_TERMINALS.includes(signal) || !this.#isInForeground()) send(signal);
    };
  }
}

/** The status by which shells tell that a command was ended by a signal (POSIX.1, XCU 2.8.2). */
export function endedBy(signal: NodeJS.Signals, message?: string): ExitStatus {
  return new ExitStatus(128 + constants.signals[signal], message);
}
