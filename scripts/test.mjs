// Runs the compiled tests: all of them, or the files whose path contains an argument ("npm test -- store"). "--long" runs
// the long forms of the tests that have one, and "--threads=3" runs the servers of the tests with three fronts. Other
// options are passed to node, as in "npm test -- store --test-name-pattern=group".
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";

// Tests have a separate build, because a server may run from dist, for example by "npm run dev".
const BUILD = "dist-test";

const isFlag = (argument) => argument.startsWith("-");
const given = process.argv.slice(2);
const wanted = given.filter((argument) => !isFlag(argument));
const isOwn = (argument) => argument === "--long" || argument.startsWith("--threads=");
const flags = given.filter((argument) => isFlag(argument) && !isOwn(argument));
const long = given.includes("--long");
const threads = given.find((argument) => argument.startsWith("--threads="))?.slice("--threads=".length);
// These tests need a real SPIRE and take long. "npm run test:spire", "npm run test:compose" and "npm run test:examples" run
// them.
const needsSpire = (file) => /^(spire|compose|examples)\//.test(file);
const files = readdirSync(`${BUILD}/test`, { recursive: true })
  .filter((file) => file.endsWith(".test.js"))
  .filter((file) => (wanted.length === 0 ? !needsSpire(file) : wanted.some((part) => file.includes(part))))
  .map((file) => `${BUILD}/test/${file}`)
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(" ")}`);
  process.exit(1);
}
// In milliseconds. A test that hangs has to fail. No test takes nearly as long, even on a machine with a load of 20.
const timeout = long ? 3_600_000 : 1_200_000;
// Many tests wait for a server or for a time limit, so more files than cores run at once.
const concurrency = availableParallelism() + 1;
const defaults = [
  `--test-concurrency=${concurrency}`,
  "--test-reporter=./scripts/test-reporter.mjs",
  `--test-timeout=${timeout}`,
];
const command = ["--test", ...defaults, ...flags, ...files];
const env = {
  ...process.env,
  ...(long && { COFFER_TEST_LONG: "1" }),
  ...(threads && { COFFER_TEST_THREADS: threads }),
};
process.exit(spawnSync(process.execPath, command, { stdio: "inherit", env }).status ?? 1);
