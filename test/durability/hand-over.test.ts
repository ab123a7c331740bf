import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { LONG } from "../support/long-form.ts";
import { Site } from "../support/server-process.ts";
import { handOver } from "../support/hand-over.ts";

const TIMES = LONG ? 100 : 4;

const site = new Site();
after(() => site.remove());

// Rolling updates while clients write. The next server has every change that the previous one acknowledged, with its
// version and value. No Get returns an earlier version than an acknowledged one. The only error that clients get is
// UNAVAILABLE.
test(`${TIMES} rolling updates under load lose no acknowledged change`, async () => {
  const data = join(site.folder, "handed-over");
  const { gapsMs, acknowledged, lost, failures } = await handOver({ site, data, times: TIMES, writers: 8 });
  assert.deepEqual(lost, []);
  assert.ok(gapsMs.length >= TIMES);
  // Half of the calls are Gets. With fewer acknowledged changes, the updates were not under load.
  assert.ok(acknowledged >= 50 * TIMES, `only ${acknowledged} changes were acknowledged`);
  assert.deepEqual(
    [...failures.keys()].filter((what) => !what.startsWith("UNAVAILABLE")),
    [],
  );
  // The hand-overs are repeated until a call has failed. Otherwise none would have been made during a hand-over.
  assert.ok(failures.size > 0);
});
