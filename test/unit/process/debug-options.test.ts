import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { debugOptions } from "../../../src/process/debug-options.ts";

const NONE = { execArgv: [], env: {}, inspector: undefined };

/** Every option that exposes the process, in the spellings that Node accepts. */
const EXPOSING = [
  "--inspect",
  "--inspect=0.0.0.0:9229",
  "--inspect-brk",
  "--inspect_brk",
  "--inspect-port=0",
  "--inspect-wait",
  "--tls-keylog=keys.log",
  "--heapsnapshot-signal=SIGUSR2",
  "--heapsnapshot-near-heap-limit=1",
  "--heap-prof",
  "--heap-prof-dir=/tmp",
  "--cpu-prof",
  "--cpu_prof",
  "--report-on-signal",
  "--report-uncaught-exception",
  "--report-directory=/tmp",
];

/** Options that don't expose the process. */
const HARMLESS = ["--max-semi-space-size=64", "--enable-source-maps", "--no-warnings", "--heap-growing-percent=1"];

const nameOf = (option: string) => option.split("=")[0]!.replaceAll("_", "-");

describe("Node's debugging options", () => {
  // Each one is found among harmless options, on the command line and in NODE_OPTIONS, and is named without its value.
  // With harmless options only, the result is empty.
  it("are found on the command line and in NODE_OPTIONS", () => {
    for (const option of EXPOSING) {
      const among = [...HARMLESS, option];
      const [given, ...others] = debugOptions({ ...NONE, execArgv: among });
      assert.ok(given?.startsWith(`node ${nameOf(option)} `), given);
      const inherited = debugOptions({ ...NONE, env: { NODE_OPTIONS: among.join(" ") } });
      assert.deepEqual([inherited[0]?.replace("NODE_OPTIONS", "node"), ...others], [given]);
      assert.equal(inherited.length, 1);
    }
    assert.deepEqual(debugOptions({ ...NONE, execArgv: HARMLESS, env: { NODE_OPTIONS: HARMLESS.join(" ") } }), []);
  });

  it("are all reported together, each once", () => {
    const start = {
      ...NONE,
      execArgv: ["--cpu-prof", "--cpu-prof"],
      env: { NODE_OPTIONS: " --tls-keylog=a  --inspect" },
    };
    const names = debugOptions(start).map((found) => found.split(" ", 2).join(" "));
    assert.deepEqual(names, ["node --cpu-prof", "NODE_OPTIONS --tls-keylog", "NODE_OPTIONS --inspect"]);
  });

  // Quotes do not hide an option from Node, so they must not hide it here. Node is the oracle for which words are
  // options and which are parts of a value.
  it("are those that Node finds", () => {
    const quoted = [
      ['"--report-on-signal"', true],
      ['--report-on"-sig\\nal"', true],
      ['--title="a \\" b" --report-on-signal', true],
      ['--title="a --report-on-signal"', false],
      ['--title="a \\" --report-on-signal"', false],
    ] as const;
    for (const [options, expected] of quoted) {
      const env = { PATH: process.env["PATH"], NODE_OPTIONS: options };
      const node = spawnSync(process.execPath, ["-p", "process.report.reportOnSignal"], { env, encoding: "utf8" });
      assert.equal(node.stdout, `${expected}\n`, `${options}: ${node.stderr}`);
      assert.equal(debugOptions({ ...NONE, env }).length, expected ? 1 : 0, options);
    }
  });

  // Node's debug log prints the data of sockets. An empty variable counts as unset.
  it("include the variable NODE_DEBUG", () => {
    assert.match(debugOptions({ ...NONE, env: { NODE_DEBUG: "stream" } }).join(), /^NODE_DEBUG /);
    assert.deepEqual(debugOptions({ ...NONE, env: { NODE_DEBUG: "", NODE_ENV: "production" } }), []);
  });

  // The file is not read: the option that names it is reported, because the file may contain a debugging option.
  it("include files that can contain options", () => {
    for (const option of ["--experimental-config-file=node.json", "--experimental-default-config-file"])
      assert.equal(debugOptions({ ...NONE, execArgv: [option] }).length, 1, option);
  });

  // A signal can open a debugger before the server's signal handler is installed, and then no option shows the
  // debugger.
  it("include a debugger that is already open", () => {
    assert.match(debugOptions({ ...NONE, inspector: "ws://127.0.0.1:9229/x" }).join(), /ws:\/\/127\.0\.0\.1:9229\/x/);
  });
});
