import assert from "node:assert/strict";
import { it } from "node:test";
import { Pace } from "../../../src/admission/pace.ts";
import { processTimers } from "../../../src/domain/timers.ts";
import { PushedTimers } from "../../support/pushed-timers.ts";

/** The number of two pieces of work that a pace does at once, if the thread stands still for 20 ms during the first. */
function workDone(timers: Pick<PushedTimers, "busy" | "delay">): number {
  const pace = new Pace(timers);
  let done = 0;
  pace.next(() => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    done += 1;
  });
  pace.next(() => (done += 1));
  return done;
}

// On an overloaded machine, the pause after a handshake can be as long as the times that a test advances. If only the test
// ended this pause, the next handshake would never begin.
it("timers that only a test advances cause no pause after work", () => {
  assert.equal(workDone(new PushedTimers(5, false)), 2);
  // The control: by the machine's time, the second piece waits.
  assert.equal(workDone({ ...new PushedTimers(5, false), busy: processTimers.busy, delay: () => () => {} }), 1);
});
