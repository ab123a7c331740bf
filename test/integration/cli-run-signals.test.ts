import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { CommandRun, type CommandRunOptions, REPORTED_SIGNALS } from "../support/command-run.ts";
import { nextMiss } from "../support/missed-reads.ts";
import { API, ServerKit } from "../support/server-kit.ts";

const PATH = "shop/api/env";

/** The exit code of the command of REPORTED_SIGNALS. */
const ENDED = 42;

const can = (program: string, ...arguments_: string[]) => spawnSync(program, arguments_).status === 0;
const hasTerminals = can("script", "-qec", "true", "/dev/null");
const hasNamespaces = can("unshare", "--pid", "--fork", "--kill-child", "true");

/** Returns whether this process exists and is not a zombie. */
function lives(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !status.slice(status.lastIndexOf(")")).startsWith(") Z");
  } catch {
    return false;
  }
}

describe("coffer run and signals", () => {
  let kit: ServerKit;
  let env: Record<string, string>;
  const runs: CommandRun[] = [];
  before(async () => {
    kit = await ServerKit.start();
    env = callerVariables(kit, API, "api");
    const caller = kit.caller(API);
    assert.equal((await caller.put({ path: PATH, data: { X: "x" } })).code, "OK");
    caller.close();
  });
  after(() => kit.stop());
  afterEach(() => {
    for (const run of runs.splice(0)) run.kill();
  });

  function run(line: readonly string[], options: Partial<CommandRunOptions> = {}): CommandRun {
    const started = new CommandRun(line, { env, ...options });
    runs.push(started);
    return started;
  }

  // Without a listener, SIGUSR1 opens a debugger in Node. Signals from one process to another arrive in order, so a
  // second delivery of one of them would be counted before SIGTERM.
  it("forwards each signal once", async () => {
    const ran = run([PATH, "--", ...REPORTED_SIGNALS]);
    const { coffer } = await ran.running();
    const signals = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGTERM"] as const;
    for (const signal of signals) {
      process.kill(coffer, signal);
      await ran.printed(new RegExp(`^${signal}$`, "m"));
    }
    assert.deepEqual(await ran.ended, { code: ENDED, signal: null });
    assert.deepEqual(
      signals.map((signal) => ran.count(signal)),
      [1, 1, 1, 1, 1, 1, 1],
    );
    assert.equal(ran.stderr, "");
  });

  it("exits with the code of the signal that ended the command", async () => {
    const ran = run([PATH, "--", "sh", "-c", "echo running $$ $PPID; exec sleep 600"]);
    const { coffer } = await ran.running();
    process.kill(coffer, "SIGTERM");
    assert.deepEqual(await ran.ended, { code: 143, signal: null });
  });

  // The terminal sends Ctrl-C and Ctrl-\ to the whole foreground group. If Coffer forwarded them too, they would arrive
  // twice, and many programs exit immediately at the second one. Coffer forwards SIGUSR1, which is sent after them: a
  // forwarded signal would have arrived by then. A signal is lost while the same one is pending (signal(7)), so the
  // test sends each several times.
  it("does not forward the signals of a terminal", { skip: !hasTerminals && "no script(1)" }, async () => {
    // script(1) runs the program in a new terminal, and sends its own input to that terminal as keys.
    const ran = run([PATH, "--", ...REPORTED_SIGNALS], { prefix: ["sh", "-c", SCRIPT, "sh"] });
    const { coffer } = await ran.running();
    for (let times = 1; times <= 5; times++) {
      ran.process.stdin!.write("\x03");
      await ran.printed(new RegExp(`(SIGINT.*){${times}}`, "s"));
      ran.process.stdin!.write("\x1c");
      await ran.printed(new RegExp(`(SIGQUIT.*){${times}}`, "s"));
    }
    process.kill(coffer, "SIGUSR1");
    await ran.printed(/SIGUSR1/);
    process.kill(coffer, "SIGTERM");
    assert.equal((await ran.ended).code, ENDED);
    assert.deepEqual(
      ["SIGINT", "SIGQUIT"].map((signal) => ran.stdout.split(signal).length - 1),
      [5, 5],
    );
  });

  // No command runs yet that could get the signal: the wait ends, and the command never runs.
  it("stops waiting for the secret at a signal", async () => {
    const marker = join(kit.folder, "marker");
    for (const [signal, code] of [
      ["SIGTERM", 143],
      ["SIGINT", 130],
      ["SIGHUP", 129],
      ["SIGUSR1", 138],
    ] as const) {
      const ran = await waiting(["touch", marker]);
      ran.process.kill(signal);
      assert.deepEqual(await ran.ended, { code, signal: null });
      assert.equal(ran.stderr, `coffer: ended by ${signal} before the command was run\n`);
      assert.ok(!existsSync(marker));
    }
  });

  /** Starts a run that has found no secret and waits for it. */
  async function waiting(words: readonly string[], options: Partial<CommandRunOptions> = {}): Promise<CommandRun> {
    const missed = nextMiss(kit);
    const started = run(["shop/api/none", "--wait", "600s", "--", ...words], options);
    await missed();
    return started;
  }

  // The kernel drops signals for the first process of a namespace unless it has a handler (pid_namespaces(7)). Coffer
  // has handlers while it waits and while the command runs. When it ends, the kernel ends the namespace and the
  // command.
  describe("as the first process of a container", { skip: !hasNamespaces && "no namespaces here" }, () => {
    const prefix = ["unshare", "--pid", "--fork", "--kill-child"];

    /** The process id, outside the namespace, of the first process in the namespace of a run. */
    function first({ process: { pid } }: CommandRun): number {
      return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim());
    }

    it("forwards signals, and exits with the code of the command", async () => {
      const ran = run([PATH, "--", ...REPORTED_SIGNALS], { prefix });
      assert.equal((await ran.running()).coffer, 1);
      process.kill(first(ran), "SIGHUP");
      await ran.printed(/^SIGHUP$/m);
      process.kill(first(ran), "SIGTERM");
      assert.equal((await ran.ended).code, ENDED);
    });

    it("ends while it waits", async () => {
      const ran = await waiting(["true"], { prefix });
      process.kill(first(ran), "SIGTERM");
      assert.equal((await ran.ended).code, 143);
    });

    it("ends the command when it is killed", async () => {
      const ran = run([PATH, "--", ...REPORTED_SIGNALS], { prefix });
      await ran.running();
      const coffer = first(ran);
      const command = Number(readFileSync(`/proc/${coffer}/task/${coffer}/children`, "latin1").trim());
      assert.ok(lives(command));
      process.kill(coffer, "SIGKILL");
      await ran.ended;
      assert.ok(!lives(command));
    });
  });

  // Outside of a container, nothing ends the command in this case; the test above is the control. docs/cli.md describes
  // what to do about it.
  it("does not end the command when it is killed", { skip: !existsSync("/proc") }, async () => {
    const ran = run([PATH, "--", "sh", "-c", "echo running $$ $PPID; exec sleep 600"]);
    const { coffer, command } = await ran.running();
    process.kill(coffer, "SIGKILL");
    await once(ran.process, "exit");
    assert.ok(lives(command));
    process.kill(command, "SIGTERM");
    assert.deepEqual(await ran.ended, { code: null, signal: "SIGKILL" });
  });
});

/**
 * Runs its arguments in a terminal, quoted as one word of sh. Without noflsh, the kernel discards pending output at
 * each Ctrl-C, which can be the line that the signal causes (termios(3)).
 */
const SCRIPT = `
  line=
  for word; do line="$line '$(printf %s "$word" | sed "s/'/'\\\\\\\\''/g")'"; done
  exec script -qec "stty noflsh && exec $line" /dev/null`;
