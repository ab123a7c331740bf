import type { JobAnswer, JobResult } from "./job.ts";

/** Receives one job from the parent process, sends the result, and ends this process. */
export function takeJob<Job, Result = JobResult>(doJob: (job: Job) => Promise<Result>): void {
  process.once("message", (job: Job) => {
    void answer(doJob(job)).then((answer) => process.send!(answer, () => process.exit()));
  });
}

async function answer<Result>(result: Promise<Result>): Promise<JobAnswer<Result>> {
  try {
    return { kind: "done", result: await result };
  } catch (error) {
    return { kind: "failed", message: (error as Error).message };
  }
}
