import type { JobAnswer, JobResult } from "./job.ts";

/** Receives one job from the parent process, sends the result, and ends this process. */
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
