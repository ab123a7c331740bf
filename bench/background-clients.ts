import { ClientProcess } from "./client-process.ts";
import type { Job } from "./job.ts";

/** Load on a server while another client is measured. */
export type BackgroundJob = Omit<Job, "extent">;

/** The calls of background clients so far. */
export interface BackgroundCount {
  readonly calls: number;
  /** The number of failures of each kind. */
  readonly errors: Readonly<Record<string, number>>;
  /** The time from the start of the process until the first answer, in milliseconds. */
  readonly firstAnswerMs: number;
}

/** Clients that keep a server busy, in a separate process. */
export type BackgroundClients = ClientProcess<BackgroundCount>;

/** Starts background clients. */
export const BackgroundClients = {
  /** Resolves when the first call has been answered. */
  start: (job: BackgroundJob): Promise<BackgroundClients> =>
    ClientProcess.start("./background-clients-process.js", job),
};
