// A thread of test/integration/budget-threads.test.ts: opens and closes connections and calls of random SPIFFE IDs, and
// closes all of them at its end. It reports the most that it has seen in each pool.
import { setImmediate as turn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { processTimers } from "../../src/domain/timers.ts";
import { type Budget, type BudgetLimits, Budgets, type Lease } from "../../src/grpc/budget.ts";
import { BudgetMemory } from "../../src/grpc/budget-memory.ts";

/** What a thread gets. */
export interface BudgetThreadData {
  readonly buffer: SharedArrayBuffer;
  readonly limits: BudgetLimits;
  /** The seed of its random numbers. */
  readonly seed: number;
  /** How many calls are granted before the thread ends. */
  readonly calls: number;
  /** The largest request in bytes. */
  readonly largest: number;
}

/** What a thread reports. */
export interface BudgetThreadReport {
  readonly most: BudgetLimits;
  readonly granted: number;
  readonly waited: number;
}

const { buffer, limits, seed, calls: enough, largest } = workerData as BudgetThreadData;
const memory = new BudgetMemory(buffer);
const minimum = { bytes: 0, unread: 0, calls: 0 };
const budgets = new Budgets({ limits, minimum, memory, timers: processTimers });
const most = { bytes: 0, unread: 0, calls: 0 };
let granted = 0;
let waited = 0;
let state = seed;

/** A random integer below `bound`, by xorshift. */
function random(bound: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % bound;
}

function look(): void {
  for (const resource of ["bytes", "unread", "calls"] as const)
    most[resource] = Math.max(most[resource], Atomics.load(memory.numbers, memory.poolIndex(resource)));
}

/** Resolves when the call has got its bytes, has used them for a few turns, and is over. */
async function call(lease: Lease): Promise<void> {
  if (lease.fits("unread", 1)) lease.hold("unread", 1);
  look();
  await new Promise<void>((resolve) => {
    if (!lease.request(1 + random(largest), resolve)) waited += 1;
  });
  look();
  granted += 1;
  lease.read();
  for (let turns = random(3); turns > 0; turns--) await turn();
  lease.release();
}

async function connection(id: string): Promise<void> {
  const budget: Budget = budgets.join(id);
  const leases = Array.from({ length: random(4) }, () => budget.open());
  const calls = leases.filter((lease) => lease !== undefined).map(call);
  // Half of the connections close before their calls are over.
  if (random(2) === 0) await Promise.all(calls);
  budgets.leave(id);
  await Promise.all(calls);
}

// However long the other threads keep what they have: a busy machine can suspend them meanwhile.
while (granted < enough || waited === 0) {
  await turn();
  await Promise.all(Array.from({ length: 1 + random(6) }, () => connection(`spiffe://example.org/${random(8)}`)));
}
parentPort?.postMessage({ most, granted, waited } satisfies BudgetThreadReport);
