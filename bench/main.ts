import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { measureCallers } from "./callers.ts";
import { measureFlood } from "./flood.ts";
import { measureHandOver } from "./handover.ts";
import { measureIdle } from "./idle.ts";
import type { Operation } from "./job.ts";
import { measureLatency } from "./latency.ts";
import { measureLoad } from "./load.ts";
import { type Options, type Section, readOptions } from "./options.ts";
import { measurePages } from "./pages.ts";
import { profileOf } from "./profile.ts";
import { measureReload } from "./reload.ts";
import {
  callersReport,
  floodReport,
  handOverReport,
  idleReport,
  latencyReport,
  loadReport,
  pagesReport,
  profileReport,
  reloadReport,
  spreadReport,
  startReport,
  throughputReport,
  verificationReport,
} from "./report.ts";
import { measureSpread } from "./spread.ts";
import { measureStart } from "./start.ts";
import { type Throughput, measureThroughput } from "./throughput.ts";
import { measureVerification } from "./verification.ts";
import { measureWatch } from "./watch.ts";
import { watchReport } from "./watch-report.ts";
import { RunFolder } from "./run-folder.ts";

const OPERATIONS = ["get", "put"] as const;
const RESULTS = fileURLToPath(new URL("../../bench/results", import.meta.url));

async function main(options: Options): Promise<void> {
  const folder = new RunFolder();
  process.once("exit", () => folder.remove());
  if (options.profile) await profile(folder, options);
  else await measure(folder, options);
}

/** Measures the selected sections one after the other, and prints each one's results at its end. */
async function measure(folder: RunFolder, options: Options): Promise<void> {
  const findings: Record<string, unknown> = { throughput: await throughput(folder, options) };
  for (const [name, section] of Object.entries(SECTION)) {
    if (options.sections.has(name as Section)) findings[name] = await section(folder, options);
  }
  console.log(`written to ${relative(process.cwd(), writeResults(options, findings))}`);
}

async function profile(folder: RunFolder, options: Options): Promise<void> {
  for (const operation of OPERATIONS.filter((each) => options.sections.has(each)))
    console.log(`${profileReport(await profileOf(folder, options, operation))}\n`);
}

async function throughput(folder: RunFolder, options: Options): Promise<readonly Throughput[]> {
  const operations = OPERATIONS.filter((operation) => options.sections.has(operation));
  const measured = operations.length === 0 ? [] : await measureThroughput(folder, options, operations);
  for (const part of measured) console.log(`${throughputReport(part, options)}\n`);
  return measured;
}

/** Measures, prints a report, and returns the findings for the results file. */
type Measurement = (folder: RunFolder, options: Options) => Promise<unknown>;

/** All sections except get and put, which are measured on the same servers. */
const SECTION: Readonly<Record<Exclude<Section, Operation>, Measurement>> = {
  spread: section(measureSpread, spreadReport),
  latency: section(measureLatency, latencyReport),
  load: section(measureLoad, loadReport),
  pages: section(measurePages, pagesReport),
  verify: section(async (_folder, options) => measureVerification(options), verificationReport),
  flood: section(measureFlood, floodReport),
  start: section(measureStart, startReport),
  idle: section(measureIdle, idleReport),
  handover: section(measureHandOver, handOverReport),
  reload: section((_folder, options) => measureReload(options), reloadReport),
  callers: section(measureCallers, callersReport),
  watch: section(measureWatch, watchReport),
};

function section<T>(
  measure: (folder: RunFolder, options: Options) => Promise<T>,
  report: (found: T, options: Options) => string,
): Measurement {
  return async (folder, options) => {
    const found = await measure(folder, options);
    console.log(`${report(found, options)}\n`);
    return found;
  };
}

/** Writes every figure of every round, with its conditions: machine, Node, commit, options. Returns the file's path. */
function writeResults(options: Options, findings: object): string {
  const at = new Date().toISOString();
  const commit = execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim();
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, arch: arch(), node: process.version };
  const file = join(RESULTS, `${at.slice(0, 19).replaceAll(":", "")}-${commit}.json`);
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ at, commit, machine, options, ...findings }, plain, 2)}\n`);
  return file;
}

/** Converts what JSON cannot represent: maps, sets, and numbers that are not finite. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (value instanceof Map) return Object.fromEntries(value);
  return value instanceof Set ? [...value] : value;
}

// The handlers of "exit" kill the servers and remove their files. An unhandled signal would skip them.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

try {
  await main(readOptions(process.argv.slice(2)));
  process.exit(0);
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
