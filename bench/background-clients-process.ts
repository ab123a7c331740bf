import type { BackgroundCount, BackgroundJob } from "./background-clients.ts";
import { BusyClients } from "./busy-clients.ts";
import type { Outcome } from "./meter.ts";

// The process of background clients. The parent sends the job to start. This process sends a count at the first answer,
// and the final count at the parent's second message. A connection that fails ends it with an error.

/** When the job arrived, as a time of performance.now(). */
let startedAt = 0;
const errors: Record<string, number> = {};
let calls = 0;
let firstAnswerMs: number | undefined;

function record(outcome: Outcome): void {
  if (outcome.kind === "ok") calls += 1;
  else errors[outcome.what] = (errors[outcome.what] ?? 0) + 1;
  if (firstAnswerMs !== undefined) return;
  firstAnswerMs = performance.now() - startedAt;
  process.send!(count());
}

function count(): BackgroundCount {
  return { calls, errors, firstAnswerMs: firstAnswerMs ?? 0 };
}

process.once("message", (job: BackgroundJob) => {
  startedAt = performance.now();
  void makeCalls(job);
  process.once("message", () => process.send!(count(), () => process.exit()));
});

async function makeCalls(job: BackgroundJob): Promise<void> {
  try {
    await (await BusyClients.start(job, { record })).finished;
  } catch (error) {
    console.error(`background clients: ${(error as Error).message}`);
    process.exit(1);
  }
}
