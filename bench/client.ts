import { setTimeout as sleep } from "node:timers/promises";
import { BusyClients } from "./busy-clients.ts";
import type { Job, JobResult } from "./job.ts";
import { takeJob } from "./job-process.ts";
import { Meter } from "./meter.ts";

// The process of a client, which does one job.
takeJob(doJob);

async function doJob(job: Job): Promise<JobResult> {
  const meter = new Meter(job.target.pid);
  const clients = await BusyClients.start(job, meter, job.extent.kind === "counted" ? job.extent.calls : undefined);
  await Promise.all([clients.finished, measure(job, clients, meter)]);
  return meter.result();
}

async function measure({ extent }: Job, clients: BusyClients, meter: Meter): Promise<void> {
  if (extent.kind === "timed") await sleep(extent.warmUpMs);
  meter.start();
  await (extent.kind === "timed" ? sleep(extent.measuredMs) : clients.finished);
  meter.stop();
  clients.end();
}
