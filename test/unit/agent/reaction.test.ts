import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type ReactionResult, reactionsOn } from "../../../src/agent/reaction.ts";
import { type Processes, machineProcesses, receiversOf } from "../../../src/agent/receivers.ts";
import { processTimers } from "../../../src/domain/timers.ts";
import { ofThisFile } from "../../support/children.ts";
import { nextEvent } from "../../support/next-event.ts";
import { until } from "../../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "coffer-reaction-"));
after(() => rmSync(folder, { recursive: true }));

const react = reactionsOn(machineProcesses, processTimers);

/** Runs a program without a shell. */
const run = (words: readonly [string, ...string[]]): Promise<ReactionResult> => {
  const [program, ...rest] = words;
  return react({ kind: "command", program, arguments: rest, timeoutMs: 120_000 });
};

const why = (result: ReactionResult) => (result.kind === "done" ? "done" : `${result.kind}: ${result.why}`);

describe("a command", () => {
  // A shell would expand the variable, and split the words.
  it("gets its arguments as they are", async () => {
    const file = join(folder, "words");
    const script = "require('node:fs').writeFileSync(process.argv[1], JSON.stringify(process.argv.slice(2)))";
    const words = ["a b", "$HOME", "*", "; exit 1", ""];
    assert.equal(why(await run([process.execPath, "-e", script, file, ...words])), "done");
    assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), words);
  });

  it("fails with its exit code, or with the signal that ended it", async () => {
    assert.equal(why(await run(["/bin/sh", "-c", "exit 3"])), "failed: the command ended with the exit code 3");
    assert.equal(why(await run(["/bin/sh", "-c", "kill -TERM $$"])), "failed: the command was ended by SIGTERM");
  });

  // The wording of the command line: `coffer run` and the agent describe one failure in one way.
  it("that can't be run fails with the reason in words, and without its arguments", async () => {
    const missing = join(folder, "missing");
    assert.equal(why(await run([missing])), `failed: can't run ${missing}: program not found`);
    const noProgram = join(folder, "no-program");
    writeFileSync(noProgram, "");
    assert.equal(why(await run([noProgram])), `failed: can't run ${noProgram}: this user may not execute it`);
    assert.equal(
      why(await run(["/bin/echo", "x".repeat(1 << 20)])),
      "failed: can't run /bin/echo: its variables and arguments exceed the limit of the operating system",
    );
    assert.equal(why(await run(["/bin/echo", "a\0b"])), "failed: can't run /bin/echo: ERR_INVALID_ARG_VALUE");
  });

  // What the program has started would otherwise run beside the next attempt.
  it("that does not end in time is killed with what it has started", async () => {
    const file = join(folder, "child");
    const isWritten = () => existsSync(file) && readFileSync(file, "utf8").endsWith("\n");
    // The time is over when the command has started its own program.
    const delay = (ms: number, task: () => void) => {
      assert.equal(ms, 2000);
      void until("the command has started a program", isWritten).then(task);
      return () => {};
    };
    const result = await reactionsOn(machineProcesses, { delay })({
      kind: "command",
      program: "/bin/sh",
      arguments: ["-c", 'sleep 1000 & echo $! >"$0"; wait', file],
      timeoutMs: 2000,
    });
    assert.equal(why(result), "failed: the command did not end within 2000 ms");
    const child = Number(readFileSync(file, "utf8"));
    assert.ok(child > 0);
    await until("the child of the command has ended", () => !isRunning(child));
  });
});

describe("a signal", () => {
  const hangup = (path: string) => react({ kind: "signal", signal: "SIGHUP", receiver: { kind: "pid-file", path } });

  it("reaches the process of a pid file", async () => {
    const done = join(folder, "done");
    const script = `process.on("SIGHUP", () => { require("node:fs").writeFileSync(${JSON.stringify(done)}, ""); process.exit(7); });
      setInterval(() => {}, 1000); console.log("ready");`;
    const child = ofThisFile(spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] }));
    await nextEvent(child.stdout, "data");
    const file = join(folder, "pid");
    writeFileSync(file, ` ${child.pid}\n`);
    const exited = once(child, "exit");
    assert.equal(why(await hangup(file)), "done");
    const [code] = await exited;
    assert.equal(code, 7);
    assert.ok(existsSync(done));
    // The file is now outdated.
    assert.equal(why(await hangup(file)), `absent: the process ${child.pid} has ended`);
  });

  it("waits for a pid file that is missing or incomplete, and never reaches the agent or a group", async () => {
    const file = join(folder, "other-pid");
    assert.equal(why(await hangup(file)), `absent: ${file} can't be read`);
    for (const text of ["", "x", "-1", "0", "1 2", "99999999999"]) {
      writeFileSync(file, text);
      assert.equal(why(await hangup(file)), `absent: ${file} does not contain the number of a process`, text);
    }
    writeFileSync(file, String(process.pid));
    assert.equal(why(await hangup(file)), `failed: ${file} contains the number of the agent itself`);
  });

  // The workload writes its pid file, often as another user. A pipe would block all targets of the agent, and the content
  // of a device would fill its memory.
  it("does not wait for a pid file that is a pipe or a device", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    for (const path of [pipe, "/dev/zero"])
      assert.equal(why(await hangup(path)), `absent: ${path} does not contain the number of a process`);
    // The control: the same read finds a number.
    const file = join(folder, "regular");
    writeFileSync(file, `${process.pid}\n`);
    assert.equal(why(await hangup(file)), `failed: ${file} contains the number of the agent itself`);
  });

  // A process of another user that has the same name must not keep the signal from the others, whatever its number.
  it("reaches every process that it may, and then succeeds", async () => {
    const receiver = { kind: "name", name: "nginx" } as const;
    const results = async (problems: Readonly<Record<number, string | undefined>>) => {
      const signalled: number[] = [];
      const others: Processes = {
        self: 1,
        list: () => [7, 8, 9],
        read: (path) => (path.endsWith("comm") ? "nginx\n" : "7 (nginx) S 2 0 0"),
        signal: (pid) => {
          if (problems[pid] === undefined) signalled.push(pid);
          return problems[pid];
        },
      };
      const result = await reactionsOn(others, processTimers)({ kind: "signal", signal: "SIGHUP", receiver });
      return [why(result), signalled];
    };
    assert.deepEqual(await results({ 7: "EPERM", 8: "ESRCH" }), ["done", [9]]);
    assert.deepEqual(await results({}), ["done", [7, 8, 9]]);
    const refused = "failed: SIGHUP can't be sent to the process 8 (EPERM)";
    assert.deepEqual(await results({ 7: "ESRCH", 8: "EPERM", 9: "EPERM" }), [refused, []]);
    const ended = "absent: the process 7 has ended";
    assert.deepEqual(await results({ 7: "ESRCH", 8: "ESRCH", 9: "ESRCH" }), [ended, []]);
  });

  it("fails if the system does not permit it", async () => {
    const others: Processes = { ...machineProcesses, read: () => "5", signal: () => "EPERM" };
    const receiver = { kind: "pid-file", path: "/pid" } as const;
    const result = await reactionsOn(others, processTimers)({ kind: "signal", signal: "SIGHUP", receiver });
    assert.equal(why(result), "failed: SIGHUP can't be sent to the process 5 (EPERM)");
  });
});

describe("the processes with a name", () => {
  /** Processes as `number: [name, parent]`. This process is 100. */
  const processesOf = (all: Readonly<Record<number, readonly [name: string, parent: number]>>): Processes => ({
    self: 100,
    list: () => Object.keys(all).map(Number),
    read: (path) => {
      const [, pid = "", file] = /^\/proc\/(\d+)\/(\w+)$/.exec(path) ?? [];
      const found = all[Number(pid)];
      if (found === undefined) return undefined;
      return file === "comm" ? `${found[0]}\n` : `${pid} (${found[0]}) S ${found[1]} 0 0`;
    },
    signal: () => undefined,
  });
  const found = (processes: Processes) => receiversOf({ kind: "name", name: "nginx" }, processes);

  it("are those whose parent has another name", () => {
    const nginx = processesOf({
      1: ["pause", 0],
      7: ["nginx", 1],
      8: ["nginx", 7],
      9: ["nginx", 7],
      10: ["nginx-exporter", 1],
    });
    assert.deepEqual(found(nginx), { kind: "found", pids: [7] });
  });

  it("do not include the agent", () => {
    assert.equal(found(processesOf({ 100: ["nginx", 1] })).kind, "absent");
  });

  it("are found if a name has parentheses and spaces", () => {
    const odd = processesOf({ 7: ["a) R 5 (", 1], 8: ["nginx", 7] });
    assert.deepEqual(found(odd), { kind: "found", pids: [8] });
  });

  it("are absent if there are none", () => {
    assert.deepEqual(found(processesOf({})), { kind: "absent", why: "no process has the name nginx" });
  });

  // The control of the scripted processes: the real ones of this machine.
  it("are found on this machine", async () => {
    const comm = readFileSync("/proc/self/comm", "utf8").trimEnd();
    const other: Processes = { ...machineProcesses, self: 0 };
    const receivers = receiversOf({ kind: "name", name: comm }, other);
    assert.equal(receivers.kind, "found");
  });
});

function isRunning(pid: number): boolean {
  const status = machineProcesses.read(`/proc/${pid}/stat`);
  // A zombie has ended.
  return status !== undefined && !/\) Z /.test(status);
}
