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

describe("Policies that come and go under load, spoiled ones among them,", () => {
  for (const [what, deliver] of Object.entries(FILE_DELIVERIES)) {
    // Each call is decided by one whole set that was delivered, and by none that is older than one which has decided
    // before. What every set grants is never refused. No call fails, and in the end the last set is in force.
    it(`decide each call whole and in their order when ${what}, replaces them`, async () => {
      const { calls, wrong, failed, setsSeen } = await swapPolicies({
        site,
        deliver,
        swaps: SWAPS,
        callsPerSecond: CALLS_PER_SECOND,
      });
      assert.deepEqual(wrong, []);
      assert.deepEqual([...failed], []);
      // The first one, the last one and one between them.
      assert.ok(setsSeen >= 3, `only ${setsSeen} sets decided a call`);
      assert.ok(calls >= 20 * SWAPS, `only ${calls} calls were made`);
    });
  }

  // The control: what judges the calls sees what it is there to see.
  const faults: Readonly<Record<string, (text: string) => string>> = {
    "half of a set is in force": (text) => text.replace(/^.*\/c,.*\n/m, ""),
    "a set is in force that nobody delivered": (text) => text.replaceAll("set/1/", "set/7/"),
    "what every set grants is refused": (text) => text.replace(/^.*always.*\n/m, ""),
  };
  for (const [what, spoil] of Object.entries(faults)) {
    it(`are found out when ${what}`, async () => {
      const [, byRename] = Object.values(FILE_DELIVERIES);
      const deliver: FileDelivery = (file, text) => byRename!(file, spoil(text));
      const { wrong } = await swapPolicies({ site, deliver, swaps: 1, callsPerSecond: CALLS_PER_SECOND });
      assert.notDeepEqual(wrong, []);
    });
  }
});
