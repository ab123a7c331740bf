import assert from "node:assert/strict";
import { once } from "node:events";
import { it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { FrontThreads } from "../../../src/app/front-threads.ts";
import type { FrontParts } from "../../../src/app/front-host.ts";
import { processTimers } from "../../../src/domain/timers.ts";
import { DEFAULT_BUDGET_LIMITS } from "../../../src/grpc/budget.ts";
import { SharedDelays } from "../../../src/observability/shared-delays.ts";

// Node throws when it can't start a thread, for example without memory for it. A thread that was started earlier would
// keep the process running, although the server has reported that it can't start.
it("fronts end if another one can't be started", async () => {
  const started: Worker[] = [];
  const note = (worker: Worker) => void started.push(worker);
  process.on("worker", note);
  // The memory of the counters is in the message to each front. The second message can't be cloned.
  const memories: unknown[] = [new SharedArrayBuffer(8), () => "no memory"];
  const parts = {
    config: {
      threads: 2,
      handshakes: { connections: 10, inProgress: 10, perSecond: 10 },
      budgets: DEFAULT_BUDGET_LIMITS,
      listen: [],
    },
    resources: {
      identity: { state: { kind: "waiting", problems: [] }, onState: () => {} },
      policy: { inForce: { policy: { rules: [] }, admins: [], epoch: 0 }, onChange: () => {} },
      storage: {},
    },
    log: { append: () => {} },
    timers: processTimers,
    counters: {
      get memory() {
        return memories.shift();
      },
    },
  } as unknown as FrontParts;
  assert.throws(() => new FrontThreads(parts, SharedDelays.of(2)), { name: "DataCloneError" });
  await turn();
  process.off("worker", note);
  const [first] = started;
  assert.ok(first);
  if (first.threadId !== -1) await once(first, "exit");
});
