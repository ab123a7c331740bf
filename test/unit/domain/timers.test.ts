import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { processTimers } from "../../../src/domain/timers.ts";

describe("processTimers", () => {
  // `busy` advances while the process computes and not while its event loop is idle, at any load of the machine.
  it("measures the time of work without the idle time of the event loop", async () => {
    const { busy, elapsed } = processTimers;
    // In this order: a pause of this process between the two readings must not count as work only.
    const began = elapsed();
    const worked = busy();
    while (busy() - worked < 20);
    assert.ok(elapsed() - began >= 20);
    // A busy machine can suspend this process before its event loop is idle, so one pause may have no idle time.
    const [before, start] = [busy(), elapsed()];
    const idle = () => elapsed() - start - (busy() - before);
    for (let pauses = 0; idle() < 50; pauses++) {
      assert.ok(pauses < 500, `${idle()} ms of ${elapsed() - start} ms were idle`);
      await sleep(20);
    }
  });

  it("runs a task at the end of each turn, until the task is cancelled", async () => {
    let turns = 0;
    const stop = processTimers.eachTurn(() => {
      turns += 1;
    });
    while (turns < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    stop();
    const seen = turns;
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(turns, seen);
  });
});
