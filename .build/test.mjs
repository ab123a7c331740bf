// Runs the compiled tests: all of them, or the files whose path contains an argument ("npm test -- store"). What begins
// with a dash is for node, as in "npm test -- store --test-name-pattern=group".
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

const isFlag = (argument) => argument.startsWith("-");
const wanted = process.argv.slice(2).filter((argument) => !isFlag(argument));
const flags = process.argv.slice(2).filter(isFlag);
const files = readdirSync("dist/test", { recursive: true })
  .filter((file) => file.endsWith(".test.js"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .map((file) => `dist/test/${file}`)
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(" ")}`);
  process.exit(1);
}
// A test that hangs is to fail, not to hang whoever waits for it. Milliseconds; no file comes near.
const defaults = ["--test-concurrency=2", "--test-reporter=spec", "--test-timeout=300000"];
const command = ["--enable-source-maps", "--test", ...defaults, ...flags, ...files];
process.exit(spawnSync(process.execPath, command, { stdio: "inherit" }).status ?? 1);
