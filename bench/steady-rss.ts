import { setTimeout as sleep } from "node:timers/promises";
import { rssBytes } from "./process-stat.ts";

/**
 * Memory is steady when SAMPLES samples in a row, SAMPLE_MS milliseconds apart, differ from the first by at most the
 * fraction STEADY.
 */
const SAMPLES = 4;
const SAMPLE_MS = 500;
const STEADY = 0.001;

/** The resident memory of a process once it is steady, in bytes. */
export async function steadyRss(pid: number): Promise<number> {
  let steady = rssBytes(pid);
  for (let samples = 0; samples < SAMPLES; samples++) {
    await sleep(SAMPLE_MS);
    const now = rssBytes(pid);
    if (Math.abs(now - steady) <= STEADY * steady) continue;
    steady = now;
    samples = 0;
  }
  return steady;
}
