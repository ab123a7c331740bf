import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { FILE_DELIVERIES, type FileDelivery } from "../support/file-delivery.ts";
import { LONG } from "../support/long-form.ts";
import { swapPolicies } from "../support/policy-swaps.ts";
import { Site } from "../support/server-process.ts";

const SWAPS = LONG ? 100 : 8;
const CALLS_PER_SECOND = LONG ? 500 : 200;

const site = new Site();
after(() => site.remove());

describe("Policies that are replaced under load, also by invalid ones,", () => {
  for (const [what, deliver] of Object.entries(FILE_DELIVERIES)) {
    // Each call is decided by exactly one complete policy that was delivered, and never by one that is older than that
    // of an earlier decision. What every policy allows is never denied. No call fails, and at the end the last policy
    // is in force.
    it(`decide each call completely and in order when ${what}, replaces them`, async () => {
      const { wrong, failed, setsSeen } = await swapPolicies({
        site,
        deliver,
        swaps: SWAPS,
        callsPerSecond: CALLS_PER_SECOND,
      });
      assert.deepEqual(wrong, []);
      assert.deepEqual([...failed], []);
      // At least the first policy, the last one, and one between them have decided a call.
      assert.ok(setsSeen >= 3, `only ${setsSeen} policies decided a call`);
    });
  }

  // The control: the check of the calls detects wrong decisions.
  const faults: Readonly<Record<string, (text: string) => string>> = {
    "half of a policy is in force": (text) => text.replace(/^.*\/c,.*\n/m, ""),
    "a policy that was not delivered is in force": (text) => text.replaceAll("set/1/", "set/7/"),
    "what every policy allows is denied": (text) => text.replace(/^.*always.*\n/m, ""),
  };
  for (const [what, spoil] of Object.entries(faults)) {
    it(`fail the check when ${what}`, async () => {
      const [, byRename] = Object.values(FILE_DELIVERIES);
      const deliver: FileDelivery = (file, text) => byRename!(file, spoil(text));
      const { wrong } = await swapPolicies({ site, deliver, swaps: 1, callsPerSecond: CALLS_PER_SECOND });
      assert.notDeepEqual(wrong, []);
    });
  }
});
