import assert from "node:assert/strict";
import { once } from "node:events";
import { it } from "node:test";
import { Worker } from "node:worker_threads";
import { BudgetMemory } from "../../src/grpc/budget-memory.ts";
import type { BudgetThreadData, BudgetThreadReport } from "../support/budget-thread.ts";
import { nextEvent } from "../support/next-event.ts";

const THREADS = 4;
const LIMITS = { bytes: 1000, unread: 6, calls: 10 };
const LARGEST = 400;

/** Runs a thread to its end, and returns its report. */
async function run(data: BudgetThreadData): Promise<BudgetThreadReport> {
  const worker = new Worker(new URL("../support/budget-thread.js", import.meta.url), { workerData: data });
  const ended = once(worker, "exit");
  const [report] = (await nextEvent(worker, "message")) as [BudgetThreadReport];
  await ended;
  return report;
}

// The check and the change of a sum are two steps, so each thread can exceed a limit by the request that it just checked.
it("budgets of threads return to zero, and exceed a limit by at most one request for each thread", async () => {
  const memory = BudgetMemory.of(THREADS * 6, THREADS);
  const free = memory.free;
  const data = { buffer: memory.buffer, limits: LIMITS, rounds: 1500, largest: LARGEST };
  const reports = await Promise.all(Array.from({ length: THREADS }, (_, i) => run({ ...data, seed: 7919 * (i + 1) })));
  for (const { most, granted, waited } of reports) {
    assert.ok(granted > 1000, `${granted} calls`);
    assert.ok(waited > 0, "some of them waited");
    assert.ok(most.bytes <= LIMITS.bytes + THREADS * LARGEST, `${most.bytes} bytes`);
    assert.ok(most.unread <= LIMITS.unread + THREADS, `${most.unread} unread`);
    assert.ok(most.calls <= LIMITS.calls + THREADS, `${most.calls} calls`);
  }
  for (const resource of ["bytes", "unread", "calls"] as const)
    assert.equal(memory.numbers[memory.poolIndex(resource)], 0, resource);
  assert.equal(memory.free, free, "every slot is free");
});
