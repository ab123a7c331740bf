import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Timers } from "../../../src/domain/timers.ts";
import { ThreadShare } from "../../../src/store/thread-share.ts";
import { outcomeOf } from "../../support/store-kit.ts";

/**
 * A simulated event loop. Each step of a task takes a tenth of a millisecond. `turns` are the durations of its turns.
 */
class Machine {
  now = 0;
  readonly turns: number[] = [];
  readonly #tasks: (() => void)[] = [];
  readonly timers: Timers = {
    clock: () => this.now,
    elapsed: () => this.now,
    monotonic: () => this.now,
    busy: () => this.now,
    delay: () => () => {},
    afterTurn: (task) => void this.#tasks.push(task),
    eachTurn: () => () => {},
  };

  /** A task with `count` steps. Its result is its name. */
  *steps(name: string, count: number): Generator<void, string, void> {
    for (let step = 0; step < count; step++) {
      this.now += 0.1;
      yield;
    }
    return name;
  }

  /** Runs turns until no task is left. A server would serve calls between two turns. */
  async run(): Promise<void> {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
      const began = this.now;
      task();
      this.turns.push(this.now - began);
      await Promise.resolve();
    }
  }
}

const neverOver = () => false;

describe("long tasks", () => {
  // However many tasks there are and however long each of them is, other work gets the thread after a few steps.
  it("use the thread for at most 5 ms in each turn of the event loop", async () => {
    const machine = new Machine();
    const share = new ThreadShare(machine.timers);
    const all = Array.from({ length: 100 }, (_, i) =>
      share.run({ steps: machine.steps(`${i}`, 200), isOver: neverOver }),
    );
    await machine.run();
    assert.deepEqual(
      await Promise.all(all),
      Array.from({ length: 100 }, (_, i) => `${i}`),
    );
    assert.ok(Math.max(...machine.turns) <= 5, `${Math.max(...machine.turns)}`);
    assert.ok(machine.turns.length >= (100 * 200 * 0.1) / 5);
  });

  it("run in turns, so that a short task does not wait for long ones", async () => {
    const machine = new Machine();
    const share = new ThreadShare(machine.timers);
    const order: string[] = [];
    const start = (name: string, count: number) =>
      share.run({ steps: machine.steps(name, count), isOver: neverOver }).then((done) => order.push(done));
    const all = [start("long", 1000), start("longer", 2000), start("short", 5)];
    await machine.run();
    await Promise.all(all);
    assert.deepEqual(order, ["short", "long", "longer"]);
  });

  // A caller that has gone needs no result. Otherwise, calls that are cancelled immediately would accumulate work.
  it("end when their caller no longer waits, and when a step throws", async () => {
    const machine = new Machine();
    const share = new ThreadShare(machine.timers);
    let left = false;
    const over = outcomeOf(share.run({ steps: machine.steps("over", 10_000), isOver: () => left }));
    const other = share.run({ steps: machine.steps("other", 10), isOver: neverOver });
    const failed = share.run({
      // biome-ignore lint/correctness/useYield: it throws before its first yield
      steps: (function* (): Generator<void, string, void> {
        throw new Error("a bug");
      })(),
      isOver: neverOver,
    });
    left = true;
    await Promise.all([machine.run(), assert.rejects(failed, /a bug/)]);
    assert.equal(await over, "DEADLINE_EXCEEDED");
    assert.equal(await other, "other");
    assert.ok(machine.now < 100);
  });
});
