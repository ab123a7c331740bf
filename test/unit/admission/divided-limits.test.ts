import assert from "node:assert/strict";
import { it } from "node:test";
import { dividedLimits, mostPlaced } from "../../../src/admission/divided-limits.ts";
import { DEFAULT_HANDSHAKE_LIMITS } from "../../../src/admission/handshake-gate.ts";

// A limit of 1 that is rounded down would let no connection in.
it("the limits of unauthenticated clients are divided by the threads, and rounded up", () => {
  assert.deepEqual(dividedLimits(DEFAULT_HANDSHAKE_LIMITS, 1), DEFAULT_HANDSHAKE_LIMITS);
  assert.deepEqual(dividedLimits(DEFAULT_HANDSHAKE_LIMITS, 3), { connections: 3334, inProgress: 342, perSecond: 67 });
  assert.deepEqual(dividedLimits({ connections: 1, inProgress: 1, perSecond: 1 }, 64), {
    connections: 1,
    inProgress: 1,
    perSecond: 1,
  });
});

// Otherwise a flood of connections that never complete their handshake would lock out all others: only the thread itself
// can close one of them for a newer one.
it("a thread that has its maximum of connections still gets new ones", () => {
  for (const fronts of [1, 2, 4, 64]) {
    const divided = dividedLimits(DEFAULT_HANDSHAKE_LIMITS, fronts);
    assert.ok(mostPlaced(DEFAULT_HANDSHAKE_LIMITS, fronts) > divided.connections);
  }
  assert.equal(mostPlaced(DEFAULT_HANDSHAKE_LIMITS, 2), 5032);
});
