import { ClockTimer } from "../client/clock-timer.ts";
import { Moment } from "../domain/moment.ts";
import type { Timers } from "../domain/timers.ts";

/** A task that runs when an outage has lasted `afterMs`. */
export interface OutageTask {
  readonly afterMs: number;
  readonly run: () => void;
}

type State =
  | { readonly kind: "confirmed" }
  /** `tasks` are those of this outage that have not run yet. */
  | { readonly kind: "outage"; readonly why: string; readonly tasks: readonly OutageTask[] };

/**
 * Whether a server confirms the state, and since when none does. An outage is counted from the last confirmation, so that it
 * includes the time in which a connection had failed unnoticed, as while the machine sleeps. The start counts as one.
 */
export class Contact {
  readonly #timers: Pick<Timers, "clock" | "elapsed" | "delay">;
  readonly #tasks: readonly OutageTask[];
  readonly #timer: ClockTimer;
  readonly #start: Moment;
  #last: Moment | undefined;
  #state: State;

  /** Each of `tasks` runs once in each outage, unless it ends earlier. */
  constructor(timers: Pick<Timers, "clock" | "elapsed" | "delay">, tasks: readonly OutageTask[]) {
    this.#timers = timers;
    this.#tasks = tasks;
    this.#timer = new ClockTimer(timers, (now) => this.#runDue(now));
    this.#start = new Moment(timers);
    this.#state = { kind: "outage", why: "", tasks };
    this.#schedule();
  }

  get isConfirmed(): boolean {
    return this.#state.kind === "confirmed";
  }

  /** For how many milliseconds no server has confirmed the state; 0 while one does. */
  get outageMs(): number {
    return this.isConfirmed ? 0 : (this.#last ?? this.#start).ageMs;
  }

  /** When a server last confirmed the state, in milliseconds since the epoch; undefined: never. */
  get last(): number | undefined {
    return this.#last?.time;
  }

  /** A server has confirmed the state. Returns whether this ends an outage. */
  confirm(): boolean {
    const isNew = !this.isConfirmed;
    this.#state = { kind: "confirmed" };
    this.#last = new Moment(this.#timers);
    return isNew;
  }

  /** A connection has failed. Returns whether this, or its reason, is new. */
  lose(why: string): boolean {
    const before = this.#state;
    const tasks = before.kind === "outage" ? before.tasks : this.#tasks;
    this.#state = { kind: "outage", why, tasks };
    this.#schedule();
    return before.kind === "confirmed" || before.why !== why;
  }

  /** Runs no task from now on. */
  close(): void {
    this.#timer.stop();
  }

  /** Looks also at once: timers stand still while the machine sleeps. */
  #schedule(): void {
    this.#timer.add(this.#runDue(this.#timers.clock()));
  }

  /** Runs the tasks that are due, and returns when the next one is. */
  #runDue(now: number): number {
    const state = this.#state;
    if (state.kind === "confirmed") return Number.POSITIVE_INFINITY;
    const { outageMs } = this;
    const tasks = state.tasks.filter(({ afterMs }) => afterMs > outageMs);
    this.#state = { ...state, tasks };
    for (const task of state.tasks) if (!tasks.includes(task)) task.run();
    return now + Math.min(...tasks.map(({ afterMs }) => afterMs - outageMs));
  }
}
