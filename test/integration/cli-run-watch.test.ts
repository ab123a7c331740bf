import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, afterEach, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { coffer } from "../support/cli-kit.ts";
import { CommandRun } from "../support/command-run.ts";
import { freePort } from "../support/free-port.ts";
import { ADMIN, API, type Caller, ServerKit } from "../support/server-kit.ts";

const policyWith = (...paths: readonly string[]) => `
rules:
  - name: api
    spiffe_ids: [${API}]
    paths: [${paths.join(", ")}]
    actions: [read, watch]
`;

const POLICY = policyWith("shop/api/**");

/** A command that prints its process ID and the variable X, and then ends at SIGTERM. */
const SHOWN = ["sh", "-c", 'echo "started $$ $X"; exec sleep 600'] as const;

/** A command that prints the same and its signals, and does not end at SIGTERM. */
const STUBBORN = [
  process.execPath,
  "-e",
  `for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR1"]) process.on(signal, () => console.log(signal));
   setInterval(() => {}, 1000);
   console.log("started", process.pid, process.env.X);`,
] as const;

const NO_INTERVAL = ["--min-interval", "0s"] as const;

describe("coffer run --watch", () => {
  let kit: ServerKit;
  let env: Record<string, string>;
  let admin: Caller | undefined;
  const running: CommandRun[] = [];
  before(async () => {
    kit = await ServerKit.start({ listen: [{ kind: "tcp", host: "127.0.0.1", port: await freePort() }] });
    await adopt(POLICY);
    env = callerVariables(kit, API, "api");
  });
  after(async () => {
    admin?.close();
    await kit.stop();
  });
  afterEach(() => {
    for (const run of running.splice(0)) {
      for (const [, pid] of run.stdout.matchAll(/^started (\d+)/gm)) end(Number(pid));
      run.kill();
    }
  });

  /** A command outlives a `coffer run` that is killed. */
  function end(pid: number): void {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }

  async function adopt(policy: string): Promise<void> {
    writeFileSync(kit.config.policy!, policy);
    await restart();
  }

  /** The caller gets a new connection: the old one can wait for its next attempt, and fail every call until then. */
  async function restart(): Promise<void> {
    await kit.restart();
    admin?.close();
    admin = kit.caller(ADMIN);
  }

  async function call(method: string, request: object): Promise<void> {
    const { code, message } = await admin!.call(method, request);
    assert.equal(code, "OK", message);
  }

  async function put(name: string, value: string): Promise<string> {
    const path = `shop/api/${name}`;
    await call("Put", { path, data: { X: value } });
    return path;
  }

  function run(line: readonly string[]): CommandRun {
    const started = new CommandRun(line, { env });
    running.push(started);
    return started;
  }

  const startsOf = ({ stdout }: CommandRun) => [...stdout.matchAll(/^started \d+ (.*)$/gm)].map(([, value]) => value);

  it("restarts the command with the new values", async () => {
    const path = await put("restart", "one");
    const watched = run(["--watch", ...NO_INTERVAL, path, "--", ...SHOWN]);
    const [, first] = await watched.printed(/started (\d+) one\n/);
    await put("restart", "two");
    const [, second] = await watched.printed(/started (\d+) two\n/);
    assert.notEqual(first, second);
    assert.throws(() => process.kill(Number(first), 0), /ESRCH/);
    watched.process.kill("SIGTERM");
    assert.deepEqual(await watched.ended, { code: 143, signal: null });
    assert.equal(watched.stderr, "coffer: restarting the command: shop/api/restart version 2\n");
  });

  // The command that runs in the end has the newest value, however many changes were joined.
  it("ends up with the newest value after 20 quick changes", async () => {
    const path = await put("quick", "v1");
    const watched = run(["--watch", ...NO_INTERVAL, `X=${path}:X`, "--", ...SHOWN]);
    await watched.printed(/ v1\n/);
    for (let value = 2; value <= 21; value++) await put("quick", `v${value}`);
    await watched.printed(/ v21\n/);
    watched.process.kill("SIGTERM");
    assert.equal((await watched.ended).code, 143);
    const starts = startsOf(watched).map((value) => Number(value?.slice(1)));
    assert.deepEqual([starts[0], starts.at(-1)], [1, 21]);
    assert.deepEqual(
      starts,
      [...new Set(starts)].sort((a, b) => a - b),
    );
  });

  // A caller that may write the secret could otherwise end every command that runs with it.
  it("starts the command with the earlier values if the system refuses the new ones", async () => {
    const path = await put("large", "one");
    const watched = run(["--watch", ...NO_INTERVAL, path, "--", ...SHOWN]);
    const [, first] = await watched.printed(/started (\d+) one\n/);
    await put("large", "x".repeat(128 * 1024));
    await watched.printed(new RegExp(`started (?!${first} )\\d+ one\\n`));
    await watched.wrote(/earlier versions\n/);
    assert.equal(
      watched.stderr,
      "coffer: restarting the command: shop/api/large version 2\n" +
        "coffer: can't run sh: its variables and arguments exceed the limit of the operating system; " +
        "starting it with the earlier versions\n",
    );
    // The control: a value that the system accepts follows.
    await put("large", "three");
    await watched.printed(/ three\n/);
  });

  it("does not restart the command before the interval is over", async () => {
    const path = await put("interval", "one");
    const slow = run(["--watch", "--min-interval", "1h", path, "--", ...SHOWN]);
    await slow.printed(/ one\n/);
    const control = run(["--watch", ...NO_INTERVAL, path, "--", ...SHOWN]);
    await control.printed(/ one\n/);
    await put("interval", "two");
    await control.printed(/ two\n/);
    slow.process.kill("SIGTERM");
    await slow.ended;
    assert.deepEqual([startsOf(slow), slow.stderr], [["one"], ""]);
  });

  it("kills a command that does not end in the grace period", async () => {
    const path = await put("stubborn", "one");
    const watched = run(["--watch=restart", ...NO_INTERVAL, "--grace", "1ms", path, "--", ...STUBBORN]);
    await watched.printed(/ one\n/);
    await put("stubborn", "two");
    await watched.printed(/ two\n/);
  });

  it("sends the signal instead, and the command keeps its values", async () => {
    const path = await put("signal", "one");
    const watched = run(["--watch=HUP", ...NO_INTERVAL, path, "--", ...STUBBORN]);
    await watched.printed(/ one\n/);
    await put("signal", "two");
    await watched.printed(/SIGHUP\n/);
    assert.deepEqual(startsOf(watched), ["one"]);
    await watched.wrote(/\n/);
    assert.equal(watched.stderr, "coffer: sending SIGHUP to the command: shop/api/signal version 2\n");
  });

  // As without --watch: signals reach the command, and its code is that of `coffer run`.
  it("forwards signals, and exits with the code of the command, which it does not start again", async () => {
    const path = await put("codes", "one");
    const watched = run(["--watch", path, "--", ...STUBBORN]);
    await watched.printed(/ one\n/);
    for (const signal of ["SIGUSR1", "SIGTERM"] as const) {
      watched.process.kill(signal);
      await watched.printed(new RegExp(`^${signal}$`, "m"));
    }
    for (const [script, code] of [
      ["exit 0", 0],
      ["exit 3", 3],
      ["kill -SEGV $$", 139],
    ] as const) {
      const ran = await coffer(["run", "--watch", path, "--", "sh", "-c", `echo once; ${script}`], { env });
      assert.deepEqual([ran.code, ran.stdout.toString(), ran.stderr], [code, "once\n", ""]);
    }
    assert.equal((await coffer(["run", "--watch", path, "--", "no-such-program"], { env })).code, 127);
  });

  it("does not restart a command that ends after SIGTERM", async () => {
    const path = await put("ending", "one");
    const watched = run(["--watch", ...NO_INTERVAL, path, "--", ...STUBBORN]);
    const [, pid] = await watched.printed(/started (\d+) one\n/);
    watched.process.kill("SIGTERM");
    await watched.printed(/SIGTERM\n/);
    const control = run(["--watch", ...NO_INTERVAL, path, "--", ...SHOWN]);
    await control.printed(/ one\n/);
    await put("ending", "two");
    await control.printed(/ two\n/);
    process.kill(Number(pid), "SIGKILL");
    assert.deepEqual(await watched.ended, { code: 137, signal: null });
    assert.deepEqual([startsOf(watched), watched.count("SIGTERM"), watched.stderr], [["one"], 1, ""]);
  });

  // A supervisor may stop `coffer run` while it restarts the command. The tests above are the control.
  it("does not start the command again when it is itself ended during a restart", async () => {
    const path = await put("both", "one");
    const watched = run(["--watch", ...NO_INTERVAL, "--grace", "1h", path, "--", ...STUBBORN]);
    await watched.printed(/ one\n/);
    await put("both", "two");
    await watched.printed(/SIGTERM\n/);
    for (const signal of ["SIGTERM", "SIGINT"] as const) watched.process.kill(signal);
    assert.deepEqual(await watched.ended, { code: 130, signal: null });
    assert.deepEqual([startsOf(watched), watched.count("SIGTERM")], [["one"], 1]);
  });

  it("keeps the command running when a secret disappears, and restarts it at its next version", async () => {
    const path = await put("lost", "one");
    const watched = run(["--watch", ...NO_INTERVAL, path, "--", ...SHOWN]);
    await watched.printed(/ one\n/);
    await call("Delete", { path });
    await watched.wrote(/^coffer: shop\/api\/lost version 1 was deleted; the command keeps running\n/);
    await call("Purge", { path });
    await put("lost", "two");
    await watched.printed(/ two\n/);
    assert.deepEqual(startsOf(watched), ["one", "two"]);
    await call("Purge", { path });
    await watched.wrote(/shop\/api\/lost was purged; the command keeps running\n$/);
  });

  // A caller that may write the secret could otherwise run code in the command after its start.
  it("does not restart the command with a key that must not be a variable", async () => {
    const path = await put("attack", "one");
    const watched = run(["--watch", ...NO_INTERVAL, path, "--", ...SHOWN]);
    await watched.printed(/ one\n/);
    await call("Put", { path, data: { X: "bad", LD_PRELOAD: "evil.so" } });
    await watched.wrote(/^coffer: the command is not restarted: shop\/api\/attack: LD_PRELOAD controls .*\n$/);
    await put("attack", "three");
    await watched.printed(/ three\n/);
    assert.deepEqual(startsOf(watched), ["one", "three"]);
    assert.ok(!watched.stderr.includes("evil.so"));
  });

  it("keeps the command running through a restart of the server, and follows changes after it", async () => {
    const path = await put("outage", "one");
    const watched = run(["--watch", ...NO_INTERVAL, path, "--", ...SHOWN]);
    await watched.printed(/ one\n/);
    await kit.server.stop();
    await watched.wrote(/^coffer: disconnected, and reconnecting: /);
    await restart();
    await put("outage", "two");
    await watched.printed(/ two\n/);
    await watched.wrote(/^coffer: connected again\n/m);
    assert.deepEqual(startsOf(watched), ["one", "two"]);
  });

  // The action watch is missing: the command runs with what may be read.
  it("runs the command if the secret may be read and not watched, and says so", async () => {
    const path = await put("unwatched", "one");
    await adopt(POLICY.replace("read, watch", "read"));
    const watched = run(["--watch", path, "--", ...SHOWN]);
    await watched.printed(/ one\n/);
    await watched.wrote(/^coffer: 1 of 1 paths and prefixes may not be watched, until a rule allows it\n$/);
    await adopt(POLICY);
  });

  it("refuses an invalid command line, and a secret that is missing", async () => {
    const path = await put("line", "one");
    const refused = async (line: readonly string[], code: number, message: RegExp) => {
      const ran = await coffer(["run", ...line, "--", "true"], { env });
      assert.equal(ran.code, code, ran.stderr);
      assert.match(ran.stderr, message);
    };
    await refused(["--watch=SIGKILL", path], 2, /option '--watch \[reaction\]': invalid reaction "SIGKILL"/);
    await refused(["--watch", "--min-interval", "soon", path], 2, /invalid duration "soon"/);
    await refused(["--watch", "shop/api/none"], 3, /there is no secret at shop\/api\/none/);
    await refused(["--watch", `X=${path}:none`], 3, /does not have the key "none"/);
    const sources = await Promise.all(Array.from({ length: 129 }, (_, i) => put(`many/${i}`, "x")));
    const named = sources.map((source, i) => `X${i}=${source}:X`);
    await refused(["--watch", ...named], 2, /^coffer: --watch allows at most 128 secrets, not 129\n$/);
    assert.equal((await coffer(["run", "--watch", ...named.slice(1), "--", "true"], { env })).code, 0);
    await refused(["--min-interval", "1s", path], 2, /--min-interval needs --watch/);
    await refused(["--instance", "pod-1", path], 2, /--instance needs --watch/);
    assert.equal((await coffer(["run", "--watch", path, "--", "true"], { env })).code, 0);
  });
});
