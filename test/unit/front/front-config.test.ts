import assert from "node:assert/strict";
import { it } from "node:test";
import { mostServed } from "../../../src/admission/handshake-gate.ts";
import { budgetMemory } from "../../../src/front/front-config.ts";
import { Budgets } from "../../../src/grpc/budget.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

const LIMITS = { bytes: 100, unread: 8, calls: 8 };

// While the disk stalls, an attacker with many SPIFFE IDs can send a Put with each and close its connection. Without a slot of
// its own, each later SPIFFE ID would share one budget with all others that have none.
it("every connection can get a budget of its own after other callers have left as many calls as fit", () => {
  const handshakes = { connections: 16, inProgress: 4, perSecond: 1 };
  const memory = budgetMemory({ fronts: 2, handshakes, budgets: LIMITS });
  const minimum = { bytes: 0, unread: 0, calls: 0 };
  const budgets = new Budgets({ limits: LIMITS, minimum, memory, timers: new ManualTimers(0) });
  const { free } = memory;
  const left = Array.from({ length: LIMITS.calls }, (_, n) => {
    const lease = budgets.join(`left ${n}`).open();
    assert.ok(lease !== undefined);
    const workEnds = lease.retain();
    lease.release();
    budgets.leave(`left ${n}`);
    return workEnds;
  });
  assert.equal(memory.free, free - LIMITS.calls);
  assert.ok(memory.free >= 2 * mostServed(handshakes), `${memory.free} slots are free`);
  for (const workEnds of left) workEnds();
  assert.equal(memory.free, free);
});
