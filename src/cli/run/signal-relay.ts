import { constants } from "node:os";
import { ExitStatus } from "../exit-status.ts";

/** The signals that users, terminals and supervisors send to a workload. */
export const PASSED_ON = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH"] as const;

export type PassedOn = (typeof PASSED_ON)[number];

/** The signals that a terminal sends to every process of its foreground group. */
const OF_TERMINALS: readonly PassedOn[] = ["SIGINT", "SIGQUIT", "SIGWINCH"];

/** The dependencies of a {@link SignalRelay}. */
export interface SignalRelayOptions {
  /** Registers a listener for a signal of this process. */
  readonly on: (signal: PassedOn, listener: () => void) => unknown;
  /** Whether the terminal sends its signals to the command directly. */
  readonly isInForeground: () => boolean;
}

/**
 * Forwards signals to the command that `coffer run` runs. It listens from the beginning, before there is a command: as
 * process 1 of a container, the process ignores every signal without a listener, and for SIGUSR1 Node would open a
 * debugger.
 */
export class SignalRelay {
  readonly #isInForeground: () => boolean;
  #receive: (signal: PassedOn) => void = () => {};

  constructor({ on, isInForeground }: SignalRelayOptions) {
    this.#isInForeground = isInForeground;
    for (const signal of PASSED_ON) on(signal, () => this.#receive(signal));
  }

  /**
   * Waits for `work`, before there is a command. Rejects with ExitStatus at the first signal whose default action ends
   * a process. `explain` returns its message.
   */
  until<Result>(work: Promise<Result>, explain: (signal: PassedOn) => string = () => ""): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#receive = (signal) => {
        if (signal !== "SIGWINCH") reject(endedBy(signal, explain(signal)));
      };
      work.then(resolve, reject);
    });
  }

  /**
   * Passes each further signal to `send`, unless the terminal also sends it to the command. The command would then
   * receive it twice, and many programs exit immediately at a second signal. `notice` is called for every signal, before
   * `send`.
   */
  passTo(send: (signal: PassedOn) => void, notice: (signal: PassedOn) => void = () => {}): void {
    this.#receive = (signal) => {
      notice(signal);
      if (!OF_TERMINALS.includes(signal) || !this.#isInForeground()) send(signal);
    };
  }
}

/** The status that shells report for a command that a signal ended (POSIX.1, XCU 2.8.2). */
export function endedBy(signal: NodeJS.Signals, message?: string): ExitStatus {
  return new ExitStatus(128 + constants.signals[signal], message);
}
