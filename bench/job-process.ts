import type { JobAnswer, JobResult } from "./job.ts";

/** Makes this process one that takes one job from its parent, answers with the result, and ends. */
export function takeJob<Job>(doJob: (job: Job) => Promise<JobResult>): void {
  process.once("message", (job: Job) => {
    void answer(doJob(job)).then((answer) => process.send!(answer, () => process.exit()));
  });
}

async function answer(result: Promise<JobResult>): Promise<JobAnswer> {
  try {
    return { kind: "done", result: await result };
  } catch (error) {
    return { kind: "failed", message: (error as Error).message };
  }
}
