import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type FloodFindings, measureFlood } from "./flood.ts";
import { type Load, measureLoad } from "./load.ts";
import { type Options, readOptions } from "./options.ts";
import { profileGet } from "./profile.ts";
import { floodReport, loadReport, profileReport, throughputReport, verificationReport } from "./report.ts";
import { type Throughput, measureThroughput } from "./throughput.ts";
import { type Verification, measureVerification } from "./verification.ts";
import { Workshop } from "./workshop.ts";

const RESULTS = fileURLToPath(new URL("../../bench/results", import.meta.url));

/** What a run measured, as it is written down. */
interface Findings {
  readonly throughput: readonly Throughput[];
  readonly load: Load | undefined;
  readonly verification: Verification | undefined;
  readonly flood: FloodFindings | undefined;
}

async function main(options: Options): Promise<void> {
  const workshop = new Workshop();
  process.once("exit", () => workshop.close());
  if (options.profile) console.log(profileReport(await profileGet(workshop, options)));
  else await measure(workshop, options);
}

async function measure(workshop: Workshop, options: Options): Promise<void> {
  const operations = (["get", "put"] as const).filter((operation) => options.sections.has(operation));
  const throughput = operations.length === 0 ? [] : await measureThroughput(workshop, options, operations);
  for (const part of throughput) console.log(`${throughputReport(part, options)}\n`);
  const load = options.sections.has("load") ? await measureLoad(workshop, options) : undefined;
  if (load !== undefined) console.log(`${loadReport(load, options)}\n`);
  const verification = options.sections.has("verify") ? measureVerification(options) : undefined;
  if (verification !== undefined) console.log(`${verificationReport(verification, options)}\n`);
  const flood = options.sections.has("flood") ? await measureFlood(workshop, options) : undefined;
  if (flood !== undefined) console.log(`${floodReport(flood, options)}\n`);
  console.log(
    `written to ${relative(process.cwd(), writeResults(options, { throughput, load, verification, flood }))}`,
  );
}

/** Every figure of every round, with what is needed to judge it: machine, Node, commit, options. */
function writeResults(options: Options, findings: Findings): string {
  const at = new Date().toISOString();
  const commit = execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim();
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, arch: arch(), node: process.version };
  const file = join(RESULTS, `${at.slice(0, 19).replaceAll(":", "")}-${commit}.json`);
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ at, commit, machine, options, ...findings }, plain, 2)}\n`);
  return file;
}

/** JSON has neither maps nor sets. */
function plain(_key: string, value: unknown): unknown {
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
