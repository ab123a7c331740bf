import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { openDoors } from "../../../src/process/node-doors.ts";

const SHUT = { execArgv: [], env: {}, inspector: undefined };

/** Every option that is a door, in the spellings that Node takes. */
const DOORS = [
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

/** Options that open nothing. */
const HARMLESS = ["--max-semi-space-size=64", "--enable-source-maps", "--no-warnings", "--heap-growing-percent=1"];

const nameOf = (option: string) => option.split("=")[0]!.replaceAll("_", "-");

describe("the doors that Node is told to open", () => {
  // Each one is found by itself and among others, on the command line and in NODE_OPTIONS, and is named without its
  // value. Without any there is nothing to say.
  it("are found wherever they are given", () => {
    for (const option of DOORS) {
      const among = [...HARMLESS, option];
      const [given, ...others] = openDoors({ ...SHUT, execArgv: among });
      assert.ok(given?.startsWith(`node ${nameOf(option)} `), given);
      const inherited = openDoors({ ...SHUT, env: { NODE_OPTIONS: among.join(" ") } });
      assert.deepEqual([inherited[0]?.replace("NODE_OPTIONS", "node"), ...others], [given]);
      assert.equal(inherited.length, 1);
    }
    assert.deepEqual(openDoors({ ...SHUT, execArgv: HARMLESS, env: { NODE_OPTIONS: HARMLESS.join(" ") } }), []);
  });

  it("are all told at once, each of them once", () => {
    const start = {
      ...SHUT,
      execArgv: ["--cpu-prof", "--cpu-prof"],
      env: { NODE_OPTIONS: " --tls-keylog=a  --inspect" },
    };
    const names = openDoors(start).map((door) => door.split(" ", 2).join(" "));
    assert.deepEqual(names, ["node --cpu-prof", "NODE_OPTIONS --tls-keylog", "NODE_OPTIONS --inspect"]);
  });

  // Quoting does not hide an option from Node, so it does not hide one from us; and what Node takes for a part of a value
  // is none. Node itself says which is which.
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
      assert.equal(openDoors({ ...SHUT, env }).length, expected ? 1 : 0, options);
    }
  });

  // Node's own debug log prints what passes through a socket. An empty variable is none.
  it("are variables as well", () => {
    assert.match(openDoors({ ...SHUT, env: { NODE_DEBUG: "stream" } }).join(), /^NODE_DEBUG /);
    assert.deepEqual(openDoors({ ...SHUT, env: { NODE_DEBUG: "", NODE_ENV: "production" } }), []);
  });

  // A file of options is not looked into: it is enough that there may be one.
  it("are files that can hold options", () => {
    for (const option of ["--experimental-config-file=node.json", "--experimental-default-config-file"])
      assert.equal(openDoors({ ...SHUT, execArgv: [option] }).length, 1, option);
  });

  // A debugger that was opened by a signal before we listened for it, or by what no option tells.
  it("are debuggers that are open already", () => {
    assert.match(openDoors({ ...SHUT, inspector: "ws://127.0.0.1:9229/x" }).join(), /ws:\/\/127\.0\.0\.1:9229\/x/);
  });
});
