import type { Timers } from "../../src/domain/timers.ts";

interface Task {
  readonly due: number;
  readonly run: () => void;
}

/** A clock that the test advances, and the tasks that wait for it. */
export class ManualTimers implements Timers {
  #now: number;
  /** By how many milliseconds the wall clock is ahead of the monotonic clock. */
  #ahead = 0;
  #tasks: Task[] = [];
  readonly #turnEnds = new Set<() => void>();

  /** Begins at `now`, in milliseconds since the epoch. */
  constructor(now: number) {
    this.#now = now;
  }

  readonly clock = (): number => this.#now + this.#ahead;
  readonly monotonic = (): number => this.#now;
  readonly elapsed = (): number => this.#now;
  readonly busy = (): number => this.#now;
  readonly afterTurn = (task: () => void): void => void setImmediate(task);

  readonly eachTurn = (task: () => void): (() => void) => {
    this.#turnEnds.add(task);
    return () => void this.#turnEnds.delete(task);
  };

  readonly delay = (ms: number, run: () => void): (() => void) => {
    const task = { due: this.#now + ms, run };
    this.#tasks.push(task);
    return () => {
      this.#tasks = this.#tasks.filter((other) => other !== task);
    };
  };

  /** For each waiting task, the milliseconds until it is due, in ascending order. */
  get pauses(): readonly number[] {
    return this.#tasks.map(({ due }) => due - this.#now).sort((a, b) => a - b);
  }

  /** The number of tasks that run at the end of each turn of the event loop. */
  get watchers(): number {
    return this.#turnEnds.size;
  }

  /** Sets the wall clock, and no other. */
  setClock(time: number): void {
    this.#ahead = time - this.#now;
  }

  /** Ends a turn of the event loop. */
  endTurn(): void {
    for (const task of [...this.#turnEnds]) task();
  }

  /** Advances the clock, and runs each task at the time when it is due. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let task = this.#next(end); task !== undefined; task = this.#next(end)) {
      this.#now = Math.max(this.#now, task.due);
      this.#tasks = this.#tasks.filter((other) => other !== task);
      task.run();
    }
    this.#now = end;
  }

  #next(end: number): Task | undefined {
    const due = this.#tasks.filter((task) => task.due <= end);
    return due.reduce<Task | undefined>((first, task) => (first && first.due <= task.due ? first : task), undefined);
  }
}
