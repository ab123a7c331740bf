import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { probeCommand, probeNode, runProbe } from "../../src/app/node-probe.ts";
import { probeRecord } from "../../src/app/probe-record.ts";
import { StartRefused } from "../../src/domain/start-refused.ts";
import { processTimers } from "../../src/domain/timers.ts";
import { CofferServer } from "../../src/app/server.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { until } from "../support/until.ts";
import { ServerKit } from "../support/server-kit.ts";

const LEGACY_READER = fileURLToPath(new URL("./legacy-chain-reader.js", import.meta.url));
const NEVER = new AbortController().signal;
const PASSED = { kind: "passed", remembered: false };

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "coffer-probe-"));
});
afterEach(() => rmSync(cache, { recursive: true }));

const runtime = (env: Record<string, string> = {}) => ({
  execArgv: process.execArgv,
  env: { ...process.env, CACHE_DIRECTORY: "", XDG_CACHE_HOME: cache, ...env },
});

/** Runs this script instead of the program of the probe. */
function scripted(script: string, record = probeRecord(runtime())) {
  const command = { program: process.execPath, words: ["-e", script], env: process.env };
  return runProbe(command, record, NEVER);
}

/** The problems for which the probe refuses a start. */
async function refusal(probe: Promise<unknown>): Promise<string> {
  const error = await probe.then(
    () => assert.fail("it passed"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof StartRefused, String(error));
  return error.problems.join("\n");
}

describe("The probe of Node at the start", () => {
  // The probe reads certificates with the same calls as the server.
  it("passes on this release of Node, and is recorded", async () => {
    assert.deepEqual(await probeNode(runtime(), NEVER), PASSED);
    assert.deepEqual(await probeNode(runtime(), NEVER), { kind: "passed", remembered: true });
  });

  // This program causes the fault that the probe exists for. On releases of Node without the fault, it is the control.
  it("refuses the start if a certificate ends its process, and names the key", async () => {
    const env = runtime().env;
    const probe = runProbe({ program: process.execPath, words: [LEGACY_READER], env }, probeRecord(runtime()), NEVER);
    if (Number.parseInt(process.versions.node, 10) < 24) assert.deepEqual(await probe, PASSED);
    else
      assert.match(
        await refusal(probe),
        /^Node v\d+\.\d+\.\d+ \(.*\) did not survive .*: SIGSEGV, at certificates with the keys \S+ \((named|explicit)\); /,
      );
  });

  it("refuses the start if its process ends in any other way, and does not record that", async () => {
    const rows: [script: string, expected: RegExp][] = [
      ["console.log('showing secp256k1'); process.kill(process.pid, 'SIGABRT')", /: SIGABRT, at .* secp256k1; /],
      ["console.log('showing secp256k1')", /: exit code 0, at .* secp256k1; /],
      ["console.log('passed'); process.exit(3)", /: exit code 3, at passed; /],
      ["throw new Error('a good chain is refused')", /: exit code 1, /],
      ["", /: exit code 0, at its beginning; /],
    ];
    for (const [script, expected] of rows) {
      assert.match(await refusal(scripted(script)), expected);
      assert.ok(!probeRecord(runtime()).has());
    }
    // The control.
    assert.deepEqual(await scripted("console.log('passed')"), PASSED);
    assert.ok(probeRecord(runtime()).has());
  });

  // The signal is aborted if the server is stopped during its start, or if Node hangs at a certificate.
  it("is killed when its signal is aborted", async () => {
    const command = { program: process.execPath, words: ["-e", "setInterval(() => {}, 1000)"], env: process.env };
    const probe = runProbe(command, probeRecord(runtime()), AbortSignal.timeout(100));
    assert.match(await refusal(probe), /: SIGKILL, at its beginning; /);
  });

  it("reports that it was not run if its program does not exist", async () => {
    const command = { program: join(cache, "absent"), words: [], env: {} };
    const result = await runProbe(command, probeRecord(runtime()), NEVER);
    assert.equal(result.kind, "not-run");
  });

  // Node emits some errors of spawn() and throws others, such as E2BIG. A variable of more than 128 KiB causes E2BIG.
  it("reports that it was not run if spawn() throws", async () => {
    const env = { LONG: "x".repeat(256 * 1024) };
    const command = { program: process.execPath, words: ["-e", "console.log('passed')"], env };
    const result = await runProbe(command, probeRecord(runtime()), NEVER);
    assert.deepEqual(result, { kind: "not-run", why: "spawn E2BIG" });
    assert.deepEqual(await runProbe({ ...command, env: {} }, probeRecord(runtime()), NEVER), PASSED);
  });

  // The script runs in a child process, because it uses up all file descriptors of its process. Its first probe, before
  // that, is the control.
  it("reports that it was not run if the process has no file descriptor left", () => {
    const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    const script = `
      import { openSync } from "node:fs";
      import { runProbe } from ${url("../../src/app/node-probe.js")};
      const command = { program: process.execPath, words: ["-e", "console.log('passed')"], env: {} };
      const probe = () => runProbe(command, { has: () => false, add: () => {} }, new AbortController().signal);
      const results = [await probe()];
      try { for (;;) openSync("/dev/null"); } catch {}
      results.push(await probe());
      console.log(results.map(({ kind }) => kind).join());`;
    const words = ["-c", 'ulimit -n 200 && exec "$0" --input-type=module -e "$1"', process.execPath, script];
    assert.equal(execFileSync("/bin/sh", words, { encoding: "utf8" }), "passed,not-run\n");
  });

  // Other options must not apply to the probe: --require could load any module, and the port of a debugger is in use.
  it("gets the OpenSSL options of Node, and no other options", () => {
    const env = { NODE_OPTIONS: "--inspect-brk --openssl-shared-config --require ./a.js", HOME: "/h" };
    const given = ["--inspect=0", "--max-semi-space-size=64", "--openssl-config", "/o.cnf", "--import", "./b.js"];
    const command = probeCommand({ execArgv: [...given, "--secure_heap=4096"], env });
    const kept = ["--openssl-config", "/o.cnf", "--secure_heap=4096", "--openssl-shared-config"];
    assert.deepEqual(command.words.slice(0, -1), kept);
    assert.deepEqual(command.env, { HOME: "/h" });
  });

  // The terminal sends signals such as that of Ctrl-C to all processes of a group. The control: the test is in another
  // group than the probe.
  it("is in a separate process group", async () => {
    const group = (of: string) => `Number(require("fs").readFileSync("/proc/${of}/stat", "latin1").split(" ")[4])`;
    const script = `console.log(${group("self")} === process.pid && ${group(String(process.pid))} !== process.pid ? "passed" : "not")`;
    assert.deepEqual(await scripted(script), PASSED);
  });
});

describe("The record of a probe", () => {
  // Node's recursive mkdir never returns for a folder below /proc, so the script runs in a process with a timeout.
  it("is not written if the cache folder is below /proc", () => {
    const script = `
      import { probeRecord } from ${JSON.stringify(new URL("../../src/app/probe-record.js", import.meta.url).href)};
      for (const home of ["/proc", process.argv[1]]) {
        const record = probeRecord({ execArgv: [], env: { XDG_CACHE_HOME: home } });
        record.add();
        console.log(record.has());
      }`;
    const words = ["--input-type=module", "-e", script, join(cache, "new")];
    const output = execFileSync(process.execPath, words, { encoding: "utf8", timeout: 60_000, killSignal: "SIGKILL" });
    assert.equal(output, "false\ntrue\n");
  });

  const file = () => join(cache, "coffer", "node-probes.json");

  // With other options, Node may use another OpenSSL, or OpenSSL may behave differently.
  it("applies only to the same binary with the same options", () => {
    probeRecord(runtime()).add();
    assert.ok(probeRecord(runtime()).has());
    assert.ok(!probeRecord(runtime({ NODE_OPTIONS: "--openssl-shared-config" })).has());
    assert.ok(!probeRecord(runtime({ OPENSSL_CONF: "/etc/other.cnf" })).has());
    assert.ok(!probeRecord({ ...runtime(), execArgv: ["--force-fips"] }).has());
  });

  it("is kept for the last 16 combinations of binary and options", () => {
    const records = Array.from({ length: 17 }, (_, i) => probeRecord(runtime({ NODE_OPTIONS: `--secure-heap=${i}` })));
    for (const record of records) record.add();
    assert.deepEqual(
      records.map((record) => record.has()),
      records.map((_, i) => i > 0),
    );
    assert.deepEqual(readdirSync(join(cache, "coffer")), ["node-probes.json"]);
  });

  // Another user could have recorded a probe that never passed.
  it("is ignored if other users can write its file", () => {
    probeRecord(runtime()).add();
    chmodSync(file(), 0o666);
    assert.ok(!probeRecord(runtime()).has());
    chmodSync(file(), 0o600);
    assert.ok(probeRecord(runtime()).has());
  });

  it("is written again after its file was damaged", () => {
    probeRecord(runtime()).add();
    writeFileSync(file(), readFileSync(file(), "utf8").slice(1));
    assert.ok(!probeRecord(runtime()).has());
    probeRecord(runtime()).add();
    assert.ok(probeRecord(runtime()).has());
  });

  // On a read-only file system, the probe runs at every start. Here, a file in the place of the folder prevents the
  // record.
  it("is not necessary for the probe", async () => {
    writeFileSync(join(cache, "coffer"), "");
    assert.deepEqual(await scripted("console.log('passed')"), PASSED);
    assert.ok(!probeRecord(runtime()).has());
  });

  // The XDG Base Directory Specification requires that relative paths are ignored.
  it("is not written for a user without a home folder", async () => {
    const homeless = probeRecord(runtime({ XDG_CACHE_HOME: "cache" }));
    assert.deepEqual(await scripted("console.log('passed')", homeless), PASSED);
    assert.ok(!homeless.has());
  });

  it("is in the cache directory that systemd creates for the unit", () => {
    probeRecord(runtime({ CACHE_DIRECTORY: join(cache, "unit") })).add();
    assert.deepEqual(readdirSync(join(cache, "unit")), ["node-probes.json"]);
  });
});

describe("A server whose probe has not passed", () => {
  let kit: ServerKit;
  before(async () => {
    kit = await ServerKit.start();
  });
  after(() => kit.stop());

  // The control is the start of the kit, whose probe passes.
  it("accepts no connection, and its start is refused", async () => {
    const served = () => kit.log.filter(({ event }) => event === "serving").length;
    assert.equal(served(), 1);
    const died = async () => {
      throw new StartRefused(["this Node died"]);
    };
    assert.equal(await refusal(kit.restart(processTimers, died)), "this Node died");
    assert.equal(served(), 1);
  });

  it("serves, and warns, if the probe could not be run", async () => {
    await kit.restart(processTimers, async () => ({ kind: "not-run", why: "spawn EPERM" }));
    const warning = kit.log.find(({ event }) => event === "node not probed");
    assert.equal(warning?.["detail"], "spawn EPERM");
  });

  // If this were an error, an operator who stops a server during its start would read that this Node is not safe.
  it("stops without an error if it is stopped during the probe", async () => {
    await kit.server.stop();
    const hanging = { program: process.execPath, words: ["-e", "setInterval(() => {}, 1000)"], env: process.env };
    const probe = (signal: AbortSignal) => runProbe(hanging, probeRecord(runtime()), signal);
    let written = "";
    const write = (chunk: unknown, _encoding: string, done: () => void) => {
      written += String(chunk);
      done();
    };
    const log = createLogger("info", new Writable({ write }));
    const server = new CofferServer(kit.config, { log, timers: processTimers, die: assert.fail, probe });
    const started = server.start();
    // After this line, the start waits only for the probe.
    await until("the store is loaded", () => written.includes("store loaded"));
    await setImmediate();
    await server.stop();
    assert.equal(await started, "stopped");
  });
});
