// Runs the compiled tests: all of them, or the files whose path contains an argument ("npm test -- store").
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const files = readdirSync("dist/test", { recursive: true })
  .filter((file) => file.endsWith(".test.js"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .map((file) => `dist/test/${file}`)
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(" ")}`);
  process.exit(1);
}
const arguments_ = ["--enable-source-maps", "--test", "--test-concurrency=2", "--test-reporter=spec", ...files];
process.exit(spawnSync(process.execPath, arguments_, { stdio: "inherit" }).status ?? 1);
