// Runs the compiled tests: all of them, or the files whose path contains an argument ("npm test -- store"). "--long" runs
// the long forms of the tests that have one. What else begins with a dash is for node, as in
// "npm test -- store --test-name-pattern=group".
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

// A build of its own: the one in dist may be running, as by "npm run dev", and is neither deleted nor written here.
const BUILD = "dist-test";

const isFlag = (argument) => argument.startsWith("-");
const told = process.argv.slice(2);
const wanted = told.filter((argument) => !isFlag(argument));
const flags = told.filter((argument) => isFlag(argument) && argument !== "--long");
const long = told.includes("--long");
// These take a real SPIRE, and time: "npm run test:spire" and "npm run test:compose" run them.
const needsSpire = (file) => /^(spire|compose)\//.test(file);
const files = readdirSync(`${BUILD}/test`, { recursive: true })
  .filter((file) => file.endsWith(".test.js"))
  .filter((file) => (wanted.length === 0 ? !needsSpire(file) : wanted.some((part) => file.includes(part))))
  .map((file) => `${BUILD}/test/${file}`)
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(" ")}`);
  process.exit(1);
}
// A test that hangs has to fail, and not to hang. Milliseconds; no file comes near, even on a machine with
// twenty other things to do.
const timeout = long ? 3_600_000 : 1_200_000;
const defaults = ["--test-concurrency=2", "--test-reporter=spec", `--test-timeout=${timeout}`];
const command = ["--enable-source-maps", "--test", ...defaults, ...flags, ...files];
const env = { ...process.env, ...(long && { COFFER_TEST_LONG: "1" }) };
process.exit(spawnSync(process.execPath, command, { stdio: "inherit", env }).status ?? 1);
