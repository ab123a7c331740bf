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
import { measureLoad } from "./load.ts";
import { type Options, type Section, readOptions } from "./options.ts";
import { profileGet } from "./profile.ts";
import { measureReload } from "./reload.ts";
import {
  callersReport,
  floodReport,
  handOverReport,
  idleReport,
  loadReport,
  profileReport,
  reloadReport,
  startReport,
  throughputReport,
  verificationReport,
} from "./report.ts";
import { measureStart } from "./start.ts";
import { type Throughput, measureThroughput } from "./throughput.ts";
import { measureVerification } from "./verification.ts";
import { Workshop } from "./workshop.ts";

const RESULTS = fileURLToPath(new URL("../../bench/results", import.meta.url));

async function main(options: Options): Promise<void> {
  const workshop = new Workshop();
  process.once("exit", () => workshop.close());
  if (options.profile) console.log(profileReport(await profileGet(workshop, options)));
  else await measure(workshop, options);
}

/** Measures the sections that the run has, one after the other, and prints each when it is done. */
async function measure(workshop: Workshop, options: Options): Promise<void> {
  const findings: Record<string, unknown> = { throughput: await throughput(workshop, options) };
  for (const [name, section] of Object.entries(SECTION)) {
    if (options.sections.has(name as Section)) findings[name] = await section(workshop, options);
  }
  console.log(`written to ${relative(process.cwd(), writeResults(options, findings))}`);
}

async function throughput(workshop: Workshop, options: Options): Promise<readonly Throughput[]> {
  const operations = (["get", "put"] as const).filter((operation) => options.sections.has(operation));
  const measured = operations.length === 0 ? [] : await measureThroughput(workshop, options, operations);
  for (const part of measured) console.log(`${throughputReport(part, options)}\n`);
  return measured;
}

/** Measures, prints what a person reads, and returns what is written down. */
type Measurement = (workshop: Workshop, options: Options) => Promise<unknown>;

/** All but get and put, which take turns on the same servers. */
const SECTION: Readonly<Record<Exclude<Section, Operation>, Measurement>> = {
  load: section(measureLoad, loadReport),
  verify: section(async (_workshop, options) => measureVerification(options), verificationReport),
  flood: section(measureFlood, floodReport),
  start: section(measureStart, startReport),
  idle: section(measureIdle, idleReport),
  handover: section(measureHandOver, handOverReport),
  reload: section((_workshop, options) => measureReload(options), reloadReport),
  callers: section(measureCallers, callersReport),
};

function section<T>(
  measure: (workshop: Workshop, options: Options) => Promise<T>,
  report: (found: T, options: Options) => string,
): Measurement {
  return async (workshop, options) => {
    const found = await measure(workshop, options);
    console.log(`${report(found, options)}\n`);
    return found;
  };
}

/** Every figure of every round, with what is needed to judge it: machine, Node, commit, options. */
function writeResults(options: Options, findings: object): string {
  const at = new Date().toISOString();
  const commit = execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim();
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, arch: arch(), node: process.version };
  const file = join(RESULTS, `${at.slice(0, 19).replaceAll(":", "")}-${commit}.json`);
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ at, commit, machine, options, ...findings }, plain, 2)}\n`);
  return file;
}

/** JSON has neither maps nor sets, and no number that is not finite. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (value instanceof Map) return Object.fromEntries(value);
  return value instanceof Set ? [...value] : value;
}

// On exit the servers are killed and their files removed, which an unhandled signal would not let happen.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

try {
  await main(readOptions(process.argv.slice(2)));
  process.exit(0);
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
