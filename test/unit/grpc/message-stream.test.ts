import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import { Budgets, DEFAULT_BUDGET_LIMITS, MINIMUM_BUDGET } from "../../../src/grpc/budget.ts";
import { BudgetMemory } from "../../../src/grpc/budget-memory.ts";
import { MessageStream } from "../../../src/grpc/message-stream.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

/** A stream whose caller reads everything at once. */
function readStream(): ServerHttp2Stream {
  const sink = new Writable({ write: (_chunk, _encoding, written) => written() });
  return Object.assign(sink, { respond: () => {} }) as unknown as ServerHttp2Stream;
}

describe("a stream of messages", () => {
  // All streams of a caller can wait for its budget at the same time. If waking one of them woke the next one, the stack
  // would overflow, which ends the process.
  it("waits for the caller's budget beside as many others as the budget of calls allows", () => {
    const memory = BudgetMemory.of(1, 1);
    const options = { limits: DEFAULT_BUDGET_LIMITS, minimum: MINIMUM_BUDGET, memory, timers: new ManualTimers(0) };
    const budget = new Budgets(options).join("spiffe://example.org/a");
    const large = budget.open();
    large?.hold("bytes", DEFAULT_BUDGET_LIMITS.bytes);
    const woken = new Set<number>();
    let count = 0;
    for (let lease = budget.open(); lease !== undefined; lease = budget.open()) {
      const number = count++;
      const onSpace = () => woken.add(number);
      const stream = new MessageStream(readStream(), lease, { onSpace, onOver: () => {} });
      assert.equal(stream.fits(1), false);
    }
    assert.equal(count, DEFAULT_BUDGET_LIMITS.calls / 2 - 1);
    assert.equal(woken.size, 0);
    large?.release();
    assert.equal(woken.size, count);
    assert.equal(budget.limitOf("bytes"), DEFAULT_BUDGET_LIMITS.bytes / 2);
  });
});
