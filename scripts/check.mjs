// Runs every static check: "npm run check". It takes under a minute. A failed step does not stop the others, so that one
// run shows all failures.
import { spawnSync } from "node:child_process";

/** Scripts of package.json. */
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

/** Runs a script and prints its result; its output only if it failed. */
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
