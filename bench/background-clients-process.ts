import type { BackgroundCount, BackgroundJob } from "./background-clients.ts";
import { BusyClients } from "./busy-clients.ts";
import type { Outcome } from "./meter.ts";

// The process of background clients. The parent sends the job to start. This process sends a count at the first answer,
// and the final count at the parent's second message. A connection that fails ends it with an error.

const startedAt = performance.now();
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
  new BusyClients(job, { record }).finished.catch(({ message }: Error) => {
    console.error(`background clients: ${message}`);
    process.exit(1);
  });
  process.once("message", () => process.send!(count(), () => process.exit()));
});
