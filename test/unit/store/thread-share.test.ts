import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Timers } from "../../../src/domain/timers.ts";
import { ThreadShare } from "../../../src/store/thread-share.ts";
import { outcomeOf } from "../../support/store-kit.ts";

/** A machine on which each step takes a tenth of a millisecond, and the turns of its event loop. */
class Machine {
  now = 0;
  readonly turns: number[] = [];
  readonly #tasks: (() => void)[] = [];
  readonly timers: Timers = {
    clock: () => this.now,
    elapsed: () => this.now,
    busy: () => this.now,
    delay: () => () => {},
    afterTurn: (task) => void this.#tasks.push(task),
    eachTurn: () => () => {},
  };

  /** A task of so many steps, which answers its name. */
  *steps(name: string, count: number): Generator<void, string, void> {
    for (let step = 0; step < count; step++) {
      this.now += 0.1;
      yield;
    }
    return name;
  }

  /** Turns until nothing is left to do; what else has arrived would be served between two of them. */
  async run(): Promise<void> {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
      const began = this.now;
      task();
      this.turns.push(this.now - began);
      await Promise.resolve();
    }
  }
}

const wanted = () => false;

describe("long tasks", () => {
  // However many there are, and however long: everything else waits for a small part of one of them.
  it("hold the thread for 5 ms at most in each turn of the event loop", async () => {
    const machine = new Machine();
    const share = new ThreadShare(machine.timers);
    const all = Array.from({ length: 100 }, (_, i) => share.run({ steps: machine.steps(`${i}`, 200), isOver: wanted }));
    await machine.run();
    assert.deepEqual(
      await Promise.all(all),
      Array.from({ length: 100 }, (_, i) => `${i}`),
    );
    assert.ok(Math.max(...machine.turns) <= 5, `${Math.max(...machine.turns)}`);
    assert.ok(machine.turns.length >= (100 * 200 * 0.1) / 5);
  });

  it("take turns, so that a short one is not kept waiting by long ones", async () => {
    const machine = new Machine();
    const share = new ThreadShare(machine.timers);
    const order: string[] = [];
    const start = (name: string, count: number) =>
      share.run({ steps: machine.steps(name, count), isOver: wanted }).then((done) => order.push(done));
    const all = [start("long", 1000), start("longer", 2000), start("short", 5)];
    await machine.run();
    await Promise.all(all);
    assert.deepEqual(order, ["short", "long", "longer"]);
  });

  // Who has left needs no answer; without this, calls that are given up at once would pile up work.
  it("end when nobody waits for them any more, and when a step throws", async () => {
    const machine = new Machine();
    const share = new ThreadShare(machine.timers);
    let left = false;
    const over = outcomeOf(share.run({ steps: machine.steps("over", 10_000), isOver: () => left }));
    const other = share.run({ steps: machine.steps("other", 10), isOver: wanted });
    const failed = share.run({
      // biome-ignore lint/correctness/useYield: it fails before
      steps: (function* (): Generator<void, string, void> {
        throw new Error("a fault");
      })(),
      isOver: wanted,
    });
    left = true;
    await Promise.all([machine.run(), assert.rejects(failed, /a fault/)]);
    assert.equal(await over, "DEADLINE_EXCEEDED");
    assert.equal(await other, "other");
    assert.ok(machine.now < 100);
  });
});
