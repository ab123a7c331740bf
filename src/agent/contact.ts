import type { Timers } from "../domain/timers.ts";

/** A task that runs when an outage has lasted `afterMs`. */
export interface OutageTask {
  readonly afterMs: number;
  readonly run: () => void;
}

/** Whether a server confirms the state, and since when none does. The start counts as the beginning of an outage. */
export class Contact {
  readonly #timers: Pick<Timers, "clock" | "elapsed" | "delay">;
  readonly #tasks: readonly OutageTask[];
  #state: { readonly kind: "confirmed" } | { readonly kind: "outage"; readonly since: number; readonly why: string };
  #last: number | undefined;
  #cancels: readonly (() => void)[];

  /** `tasks` run in each outage, unless it ends earlier. */
  constructor(timers: Pick<Timers, "clock" | "elapsed" | "delay">, tasks: readonly OutageTask[]) {
    this.#timers = timers;
    this.#tasks = tasks;
    this.#state = { kind: "outage", since: timers.elapsed(), why: "" };
    this.#cancels = this.#arm();
  }

  /** For how many milliseconds no server has confirmed the state; 0 while one does. */
  get outageMs(): number {
    return this.#state.kind === "confirmed" ? 0 : Math.max(1, this.#timers.elapsed() - this.#state.since);
  }

  /** When a server last confirmed the state, in milliseconds since the epoch; undefined: never. */
  get last(): number | undefined {
    return this.#last;
  }

  /** A server has confirmed the state. Returns whether this ends an outage. */
  confirm(): boolean {
    const isNew = this.#state.kind === "outage";
    this.#state = { kind: "confirmed" };
    this.#last = this.#timers.clock();
    this.close();
    return isNew;
  }

  /** The connection has failed. Returns whether this, or its reason, is new. */
  lose(why: string): boolean {
    const before = this.#state;
    const isNew = before.kind === "confirmed" || before.why !== why;
    const since = before.kind === "confirmed" ? this.#timers.elapsed() : before.since;
    this.#state = { kind: "outage", since, why };
    if (before.kind === "confirmed") this.#cancels = this.#arm();
    return isNew;
  }

  /** Cancels all tasks. */
  close(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels = [];
  }

  #arm(): readonly (() => void)[] {
    // One millisecond more, so that the outage has lasted long enough when the task looks.
    return this.#tasks.map(({ afterMs, run }) => this.#timers.delay(afterMs + 1, run));
  }
}
