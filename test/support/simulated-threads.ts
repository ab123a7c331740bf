import { setFlagsFromString } from "node:v8";
import type { Timers } from "../../src/domain/timers.ts";
import type { Port } from "../../src/threads/port.ts";

/** The probability that other threads run between two accesses to what the threads share. */
const PREEMPTION = 0.1;

/** How many tasks they run then: a few, or, with the probability `LONG_PAUSE`, many. */
const SHORT = 4;
const LONG = 200;
const LONG_PAUSE = 0.15;

/** After this number of tasks, a run that is not over is a fault. It is many times what a run takes. */
const MOST_STEPS = 1_000_000;

/**
 * Runs all promise callbacks that are due, as Node does between two events. Within a promise callback it does nothing: the
 * callbacks that are due then belong to a suspended thread, and run when that thread continues.
 */
const runMicrotasks = nativeFunction("%PerformMicrotaskCheckpoint()");

/** A function of V8 that JavaScript can call only with a flag. */
function nativeFunction(call: string): () => void {
  setFlagsFromString("--allow-natives-syntax");
  const native = new Function(call) as () => void;
  native();
  setFlagsFromString("--no-allow-natives-syntax");
  return native;
}

/** How a thread runs. */
export interface Pace {
  /** How often it runs, relative to the other threads. */
  readonly speed: number;
  /** The probability that it processes messages in its ports before other tasks. */
  readonly attention: number;
}

/**
 * Threads of which one runs at a time, in an order that the random numbers determine. A thread runs a task to its end,
 * as an event loop does. But whenever it accesses what threads share, it calls {@link Simulation.preempt}, and other
 * threads may run some tasks before it continues.
 */
export class Simulation {
  readonly random: () => number;
  /** The errors that ended a task. Each of them would end a real process. */
  readonly faults: string[] = [];
  readonly #threads: SimulatedThread[] = [];
  #moment = 0;
  #clock = 1_700_000_000_000;

  constructor(random: () => number) {
    this.random = random;
  }

  thread(pace: Pace = { speed: 1, attention: 0.5 }): SimulatedThread {
    const thread = new SimulatedThread(this, pace);
    this.#threads.push(thread);
    return thread;
  }

  /** The present moment. No two calls return the same. */
  moment(): number {
    return ++this.#moment;
  }

  /** Milliseconds since the epoch. */
  get clock(): number {
    return this.#clock;
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** Other threads may run here, while this one is suspended. */
  preempt(thread: SimulatedThread): void {
    thread.suspended(() => {
      if (!this.chance(PREEMPTION)) return;
      const tasks = this.below(this.chance(LONG_PAUSE) ? LONG : SHORT);
      for (let i = 0; i < tasks; i++) this.#runOne();
    });
  }

  /** Runs the threads until `isOver` returns true, or the first fault. */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => {
        for (let step = 0; !isOver() && this.faults.length === 0; step++) {
          if (!this.#runOne() || step === MOST_STEPS) this.faults.push("the threads wait for each other");
        }
        resolve();
      });
    });
  }

  #runOne(): boolean {
    const able = this.#threads.filter((thread) => thread.isAble);
    if (able.length === 0) return this.#advanceClock();
    try {
      this.#oneOf(able)?.runOne();
      runMicrotasks();
    } catch (error) {
      this.faults.push(String(error));
    }
    if (this.chance(0.1)) this.#clock += 1;
    return true;
  }

  #oneOf(threads: readonly SimulatedThread[]): SimulatedThread | undefined {
    let at = this.random() * threads.reduce((sum, { speed }) => sum + speed, 0);
    return threads.find(({ speed }) => {
      at -= speed;
      return at < 0;
    });
  }

  #advanceClock(): boolean {
    const idle = this.#threads.filter((thread) => !thread.isRunning);
    const due = Math.min(...idle.map((thread) => thread.nextDue));
    if (due === Number.POSITIVE_INFINITY) return false;
    this.#clock = Math.max(this.#clock, due);
    return true;
  }
}

/** An event loop: ports, tasks for the next turn, and timers. */
export class SimulatedThread {
  readonly #simulation: Simulation;
  readonly #pace: Pace;
  readonly #inboxes: Messages[] = [];
  #tasks: (() => void)[] = [];
  #delayed: { readonly due: number; readonly task: () => void }[] = [];
  isRunning = false;

  constructor(simulation: Simulation, pace: Pace) {
    this.#simulation = simulation;
    this.#pace = pace;
  }

  readonly timers: Timers = {
    clock: () => this.#simulation.clock,
    elapsed: () => this.#simulation.clock,
    monotonic: () => this.#simulation.clock,
    busy: () => this.#simulation.clock,
    afterTurn: (task) => void this.#tasks.push(task),
    eachTurn: () => () => {},
    delay: (ms, task) => {
      const delayed = { due: this.#simulation.clock + ms, task };
      this.#delayed.push(delayed);
      return () => {
        this.#delayed = this.#delayed.filter((other) => other !== delayed);
      };
    },
  };

  /** Whether it has a task to run now. */
  get isAble(): boolean {
    return !this.isRunning && (this.#tasks.length > 0 || this.#hasMessages || this.nextDue <= this.#simulation.clock);
  }

  get speed(): number {
    return this.#pace.speed;
  }

  get nextDue(): number {
    return Math.min(...this.#delayed.map(({ due }) => due));
  }

  receiveFrom(inbox: Messages): void {
    this.#inboxes.push(inbox);
  }

  /** Runs `others`, which may run other threads. This thread runs no task meanwhile. */
  suspended(others: () => void): void {
    const wasRunning = this.isRunning;
    this.isRunning = true;
    try {
      others();
    } finally {
      this.isRunning = wasRunning;
    }
  }

  /** Runs one task, or delivers messages of one port: one, or a burst. */
  runOne(): void {
    this.suspended(() => {
      const task = this.#dueTask() ?? (this.#hasMessages && this.#prefersMessages ? undefined : this.#tasks.shift());
      if (task === undefined) this.#deliver();
      else task();
    });
  }

  get #hasMessages(): boolean {
    return this.#inboxes.some(({ isEmpty }) => !isEmpty);
  }

  get #prefersMessages(): boolean {
    return this.#tasks.length === 0 || this.#simulation.chance(this.#pace.attention);
  }

  #dueTask(): (() => void) | undefined {
    const due = this.#delayed.find((one) => one.due <= this.#simulation.clock);
    this.#delayed = this.#delayed.filter((one) => one !== due);
    return due?.task;
  }

  #deliver(): void {
    const full = this.#inboxes.filter(({ isEmpty }) => !isEmpty);
    const inbox = full[this.#simulation.below(full.length)];
    do inbox?.deliver();
    while (inbox?.isEmpty === false && this.#simulation.chance(0.5));
  }
}

/** Messages that wait for a thread. */
interface Messages {
  readonly isEmpty: boolean;
  /** Passes the first one to the listener. */
  deliver(): void;
}

/** The messages that have arrived in one end of a channel. */
class Inbox<Message> implements Messages {
  #messages: Message[] = [];
  #listener: ((message: Message) => void) | undefined;

  get isEmpty(): boolean {
    return this.#messages.length === 0 || this.#listener === undefined;
  }

  set listener(listener: (message: Message) => void) {
    this.#listener = listener;
  }

  add(message: Message): void {
    this.#messages.push(message);
  }

  take(): Message | undefined {
    return this.#messages.shift();
  }

  deliver(): void {
    const message = this.take();
    if (message !== undefined) this.#listener?.(message);
  }
}

/** The two ends of a channel between two threads. Messages are copied as between real threads. */
export function simulatedChannel<Up, Down>(
  simulation: Simulation,
  [upper, lower]: readonly [SimulatedThread, SimulatedThread],
): [Port<Up, Down>, Port<Down, Up>] {
  const up = new Inbox<Up>();
  const down = new Inbox<Down>();
  return [portOf(simulation, upper, up, down), portOf(simulation, lower, down, up)];
}

function portOf<In, Out>(
  simulation: Simulation,
  thread: SimulatedThread,
  inbox: Inbox<In>,
  outbox: Inbox<Out>,
): Port<In, Out> {
  thread.receiveFrom(inbox);
  return {
    post(message, transfer = []) {
      simulation.preempt(thread);
      outbox.add(structuredClone(message, { transfer: [...transfer] }));
      simulation.preempt(thread);
    },
    receive() {
      simulation.preempt(thread);
      return inbox.take();
    },
    onMessage(listener) {
      inbox.listener = listener;
    },
    close() {},
  };
}
