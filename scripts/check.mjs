// Checks everything about a change that needs no run of it: "npm run check", in under a minute. All steps run, so that
// one look shows all that is wrong. The steps, in the order of their names here:
import { spawnSync } from "node:child_process";

const STEPS = [
  "lint",
  "format:check",
  "typecheck",
  "unused",
  "links",
  "lint:proto",
  "breaking:proto",
  "generate:check",
];

/** Runs the script of package.json, and says how it ended. What it printed is shown when it failed. */
function passes(step) {
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", step], { encoding: "utf8" });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${step} (${seconds} s)`);
  if (status !== 0) console.log(`${stdout}${stderr}`);
  return status === 0;
}

const failed = STEPS.filter((step) => !passes(step));
if (failed.length > 0) {
  console.error(`failed: ${failed.join(", ")}`);
  process.exit(1);
}
