import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { CommandRun, type CommandRunOptions, REPORTED_SIGNALS } from "../support/command-run.ts";
import { API, ServerKit } from "../support/server-kit.ts";

const PATH = "shop/api/env";

/** How the command of REPORTED_SIGNALS ends. */
const ENDED = 42;

const can = (program: string, ...arguments_: string[]) => spawnSync(program, arguments_).status === 0;
const hasTerminals = can("script", "-qec", "true", "/dev/null");
const hasNamespaces = can("unshare", "--pid", "--fork", "--kill-child", "true");

/** Whether there is such a process, and it is no zombie. */
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

  // SIGUSR1 would open a debugger in Node if nobody listened. Signals of one process to another arrive in order, so that
  // a second delivery of any of them would be counted before SIGTERM.
  it("passes each of them on, once", async () => {
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

  it("tells that a signal ended the command", async () => {
    const ran = run([PATH, "--", "sh", "-c", "echo running $$ $PPID; exec sleep 600"]);
    const { coffer } = await ran.running();
    process.kill(coffer, "SIGTERM");
    assert.deepEqual(await ran.ended, { code: 143, signal: null });
  });

  // Ctrl-C and Ctrl-\ reach the whole foreground group by the terminal. Passed on as well they would arrive twice, which
  // many programs take for "at once". SIGUSR1 goes by Coffer, after them: had it passed them on, they would be there. A
  // signal that comes while the same one is pending is lost (signal(7)), hence more than one of each.
  it("leaves to a terminal what it sends by itself", { skip: !hasTerminals && "no script(1)" }, async () => {
    // script(1) gives what it runs a terminal of its own, and what it reads to that terminal as keys.
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

  // Nobody is there to get the signal: the wait ends, and the command is never run.
  it("ends a wait", async () => {
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

  /** A run that has found no secret, and goes on waiting for it. */
  async function waiting(words: readonly string[], options: Partial<CommandRunOptions> = {}): Promise<CommandRun> {
    const misses = () => kit.log.filter(({ reason }) => reason === "SECRET_NOT_FOUND").length;
    const before = misses();
    const started = run(["shop/api/none", "--wait", "600s", "--", ...words], options);
    const caller = kit.caller(API);
    while (misses() === before) await caller.get({ path: PATH });
    caller.close();
    return started;
  }

  // The kernel drops signals for a namespace's first process unless it listens (pid_namespaces(7)). Coffer does, while it
  // waits and while the command runs. With its end, however it comes, the namespace and the command in it end.
  describe("as the first process of a container", { skip: !hasNamespaces && "no namespaces here" }, () => {
    const prefix = ["unshare", "--pid", "--fork", "--kill-child"];

    /** The first process in the namespace of a run, by its number outside of it. */
    function first({ process: { pid } }: CommandRun): number {
      return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim());
    }

    it("passes on, and exits as the command does", async () => {
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

    it("takes the command along when it is killed", async () => {
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

  // Outside of a container nothing ends the command then; the test above shows that it would be seen. docs/cli.md says
  // what to do about it.
  it("leaves the command alone when it is killed", { skip: !existsSync("/proc") }, async () => {
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
 * Runs its arguments in a terminal; they are made one word of sh, in quotes. Without noflsh the kernel drops what is on
 * its way out at each Ctrl-C, and that can be the line that the signal causes (termios(3)).
 */
const SCRIPT = `
  line=
  for word; do line="$line '$(printf %s "$word" | sed "s/'/'\\\\\\\\''/g")'"; done
  exec script -qec "stty noflsh && exec $line" /dev/null`;
