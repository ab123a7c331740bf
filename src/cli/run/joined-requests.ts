import type { Timers } from "../../domain/timers.ts";

/**
 * How long to wait for further requests, in milliseconds. Changes that belong together often arrive one after the
 * other: the secrets of one Commit, or two commands of a script.
 */
const SETTLE_MS = 100;

/** What a {@link JoinedRequests} joins. */
export interface JoinedRequestsOptions {
  readonly timers: Timers;
  /** The minimum time between two calls of `task`, in milliseconds. */
  readonly minIntervalMs: number;
  readonly task: () => void;
}

/** Calls a task for requests, at most once in an interval. Requests that arrive before the call are joined. */
export class JoinedRequests {
  readonly #options: JoinedRequestsOptions;
  #begun: number;
  #cancel: (() => void) | undefined;

  /** The first interval begins now. */
  constructor(options: JoinedRequestsOptions) {
    this.#options = options;
    this.#begun = options.timers.elapsed();
  }

  /** Begins a new interval. Cancels the call that is due: the caller has just done what the task does. */
  begin(): void {
    this.cancel();
    this.#begun = this.#options.timers.elapsed();
  }

  /** Calls the task when the interval is over, and at least {@link SETTLE_MS} from now, unless a call is already due. */
  request(): void {
    const { timers, minIntervalMs, task } = this.#options;
    const rest = this.#begun + minIntervalMs - timers.elapsed();
    this.#cancel ??= timers.delay(Math.max(rest, SETTLE_MS), () => {
      this.#cancel = undefined;
      task();
    });
  }

  /** Cancels the call that is due, if there is one. */
  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
