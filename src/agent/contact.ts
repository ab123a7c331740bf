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
 * Whether a server confirms the state, and since when none does. The duration of an outage counts from the last
 * confirmation, or from the start if there was none. So it includes the time before the agent noticed that the connection
 * had failed, for example while the machine was suspended.
 */
export class Contact {
  readonly #timers: Pick<Timers, "clock" | "elapsed" | "delay">;
  readonly #tasks: readonly OutageTask[];
  readonly #timer: ClockTimer;
  readonly #start: Moment;
  #last: Moment | undefined;
  #state: State;

  /** Each of `tasks` runs once in each outage, unless the outage ends before the task is due. */
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

  /** Runs at once the tasks that became due while the machine was suspended, when timers stand still. Waits for the others. */
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
