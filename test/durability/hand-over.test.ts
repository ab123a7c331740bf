import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { LONG } from "../support/long-form.ts";
import { Site } from "../support/server-process.ts";
import { handOver } from "../support/hand-over.ts";

const TIMES = LONG ? 100 : 4;

const site = new Site();
after(() => site.remove());

// Rolling updates while clients write: whatever one server acknowledged, the next one has, at its version and with its
// value; no Get is answered with less than was acknowledged before; and the only failure that a client ever sees is one
// that tells it to try again.
test(`${TIMES} servers that hand over to one another under load lose nothing`, async () => {
  const data = join(site.folder, "handed-over");
  const { gapsMs, acknowledged, lost, failures } = await handOver({ site, data, times: TIMES, writers: 8 });
  assert.deepEqual(lost, []);
  assert.equal(gapsMs.length, TIMES);
  // Half of the answers are those of Gets. A run that acknowledged less would not have met the exchanges.
  assert.ok(acknowledged >= 50 * TIMES, `only ${acknowledged} changes were acknowledged`);
  assert.deepEqual(
    [...failures.keys()].filter((what) => !what.startsWith("UNAVAILABLE")),
    [],
  );
  // Without one, nothing was under way when a server ended.
  assert.ok(failures.size > 0, "no call met the end of a server");
});
