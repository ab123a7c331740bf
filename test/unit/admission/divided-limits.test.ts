import assert from "node:assert/strict";
import { it } from "node:test";
import { dividedLimits } from "../../../src/admission/divided-limits.ts";
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
