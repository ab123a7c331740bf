import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { processTimers } from "../../../src/domain/timers.ts";

describe("the timers of the process", () => {
  // A server that waits has done nothing, and one that has computed has, whatever else the machine does meanwhile.
  it("count work, and not the time in which the event loop waits", async () => {
    const { busy, elapsed } = processTimers;
    const [worked, began] = [busy(), elapsed()];
    while (busy() - worked < 20);
    assert.ok(elapsed() - began >= 20);
    const [before, start] = [busy(), elapsed()];
    await sleep(200);
    assert.ok(busy() - before < elapsed() - start - 50, "most of it was waiting");
  });

  it("run a task at the end of each turn, until they need not", async () => {
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
