import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { PROGRAM, coffer } from "../support/cli-kit.ts";
import { CommandRun } from "../support/command-run.ts";
import { freePort } from "../support/free-port.ts";
import { ADMIN, API, type Caller, ServerKit, WEB } from "../support/server-kit.ts";
import { until } from "../support/until.ts";

/** Part of every value here, so that the tests can search for it where no value may appear. */
const CANARY = "canary-93e1";

const POLICY = `
rules:
  - name: api
    spiffe_ids: [${API}]
    paths: [shop/api/**]
    actions: [read, watch, describe]
  - name: web
    spiffe_ids: [${WEB}]
    paths: [shop/web/**]
    actions: [watch]
`;

describe("coffer watch", () => {
  let kit: ServerKit;
  let admin: Caller | undefined;
  let env: Record<string, string>;
  const running: CommandRun[] = [];
  before(async () => {
    kit = await ServerKit.start({ listen: [{ kind: "tcp", host: "127.0.0.1", port: await freePort() }] });
    writeFileSync(kit.config.policy!, POLICY);
    await restart();
    env = callerVariables(kit, API, "api");
  });
  after(async () => {
    admin?.close();
    await kit.stop();
  });
  afterEach(() => {
    for (const run of running.splice(0)) run.kill();
  });

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

  const put = (path: string, value: string) => call("Put", { path, data: { k: `${CANARY} ${value}` } });

  function watch(line: readonly string[], variables = env): CommandRun {
    const run = new CommandRun(line, { env: variables, command: "watch" });
    running.push(run);
    return run;
  }

  /** The lines so far, without their times. */
  const linesOf = ({ stdout }: CommandRun) =>
    stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => line.split(" ").slice(1).join(" "));

  // The newest state comes first. What happens to a secret follows in its order, and no line has a value.
  it("prints the newest states, and then a line for each change", async () => {
    await put("shop/api/line/a", "1");
    await put("shop/api/line/a", "2");
    await put("shop/api/other", "1");
    const run = watch(["shop/api/line/a", "--prefix", "shop/api/line/b"]);
    const changes: [method: string, path: string, line: string][] = [
      ["Delete", "shop/api/line/a", "shop/api/line/a 2 DELETED"],
      ["Undelete", "shop/api/line/a", "shop/api/line/a 2 LIVE"],
      ["Destroy", "shop/api/line/a", "shop/api/line/a 2 DESTROYED"],
      ["Purge", "shop/api/line/a", "shop/api/line/a - PURGED"],
    ];
    await run.printed(/ 2 LIVE\n/);
    for (const [index, [method, path, line]] of changes.entries()) {
      await call(method, { path });
      await until(line, () => linesOf(run).length === index + 2 && linesOf(run).at(-1) === line);
    }
    await put("shop/api/line/b/c", "1");
    await run.printed(/shop\/api\/line\/b\/c 1 LIVE\n$/);
    assert.equal(linesOf(run)[0], "shop/api/line/a 2 LIVE");
    for (const line of run.stdout.trimEnd().split("\n"))
      assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ (?:\d+|-) [A-Z]+$/);
    assert.ok(!run.stdout.includes(CANARY));
    assert.equal(run.stderr, "");
  });

  it("prints JSON, and values only with --values", async () => {
    await call("Put", { path: "shop/api/json", data: { user: CANARY }, binary_data: { raw: Buffer.from([0xff]) } });
    const once = async (...flags: string[]) => {
      const { code, stdout, stderr } = await coffer(["watch", "shop/api/json", "--once", "-o", "json", ...flags], {
        env,
      });
      assert.deepEqual([code, stderr], [0, ""]);
      return stdout
        .toString()
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    };
    const [change, synced, ...rest] = await once();
    assert.deepEqual([change.event, change.path, change.version, change.state], ["change", "shop/api/json", 1, "LIVE"]);
    assert.ok(!("data" in change) && !("binary_data" in change));
    assert.deepEqual([synced.event, synced.readable, synced.requested, rest.length], ["synced", 1, 1, 0]);
    const [withValues] = await once("--values");
    assert.deepEqual([withValues.data, withValues.binary_data], [{ user: CANARY }, { raw: "/w==" }]);
  });

  // A restart is a reconnect, and nothing that happened around it is missed or printed twice.
  it("continues after a restart of the server, and reports it on standard error", async () => {
    await put("shop/api/restart/kept", "1");
    await put("shop/api/restart/purged", "1");
    const run = watch(["--prefix", "shop/api/restart/"]);
    await run.printed(/purged 1 LIVE\n/);
    await kit.server.stop();
    await run.wrote(/^coffer: disconnected, and reconnecting: /m);
    await restart();
    await put("shop/api/restart/new", "1");
    await call("Purge", { path: "shop/api/restart/purged" });
    await run.printed(/purged - PURGED\n/);
    await run.wrote(/^coffer: connected again$/m);
    assert.deepEqual(linesOf(run).sort(), [
      "shop/api/restart/kept 1 LIVE",
      "shop/api/restart/new 1 LIVE",
      "shop/api/restart/purged - PURGED",
      "shop/api/restart/purged 1 LIVE",
    ]);
  });

  // The order in which workloads and rules are created does not matter.
  it("waits for a rule, and says so", async () => {
    const run = watch(["shop/api/none", "shop/web/none"]);
    await run.wrote(/^coffer: 1 of 2 paths and prefixes may not be watched, until a rule allows it\n$/);
    await put("shop/web/none", "1");
    await put("shop/api/none", "1");
    await run.printed(/./);
    assert.deepEqual(linesOf(run), ["shop/api/none 1 LIVE"]);
  });

  it("ends at SIGINT and SIGTERM with the code of the signal, and when its reader has gone", async () => {
    await put("shop/api/end", "1");
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
      ["SIGUSR1", 138],
    ] as const) {
      const run = watch(["shop/api/end"]);
      await run.printed(/LIVE/);
      run.process.kill(signal);
      assert.deepEqual(await run.ended, { code, signal: null });
      assert.equal(run.stderr, "");
    }
    const run = watch(["shop/api/end"]);
    await run.printed(/LIVE/);
    run.process.stdout!.destroy();
    await put("shop/api/end", "2");
    assert.equal((await run.ended).code, 141);
    assert.equal(run.stderr, "");
  });

  it("refuses an invalid command line, and with --once reports a failure with its exit code", async () => {
    const refused = async (line: readonly string[], code: number, message: RegExp, variables = env) => {
      const ran = await coffer(["watch", ...line], { env: variables });
      assert.equal(ran.code, code, ran.stderr);
      assert.match(ran.stderr, message);
    };
    await refused([], 2, /^coffer: missing path or --prefix\n$/);
    await refused(["a/b", "--values"], 2, /--values needs -o json or --exec/);
    await refused(["a/b", "--exec", "true", "-o", "json"], 2, /use either --exec or -o/);
    await refused(["a/b", "--exec", " "], 2, /expected a command/);
    await refused(["a/b", "--instance", "a b"], 2, /invalid name/);
    await refused(["a//b"], 2, /paths/);
    await refused(
      Array.from({ length: 129 }, (_, i) => `a/${i}`),
      2,
      /128/,
    );
    await refused(["a/b", "--once"], 6, /nothing answers/, { ...env, COFFER_ADDR: "127.0.0.1:1" });
    await refused(["a/b", "--once"], 7, /expected/, { ...env, COFFER_SERVER_ID: "spiffe://example.org/other" });
    assert.equal((await coffer(["watch", "shop/api/end", "--once"], { env })).code, 0);
  });

  describe("--exec", () => {
    // Arguments and environments can be read by other processes.
    it("runs the command with the change in its environment, and with values only on standard input", async () => {
      await put("shop/api/exec", "one");
      const list = join(kit.folder, "list");
      const script = `cat >> '${list}'; env | grep ^COFFER_[PVS].*= | grep -v SERVER | sort | tr '\\n' ' '; echo; tr '\\0' ' ' < /proc/$$/cmdline`;
      const ran = await coffer(["watch", "shop/api/exec", "--once", "--values", "--exec", script], { env });
      assert.deepEqual([ran.code, ran.stderr], [0, ""]);
      const output = ran.stdout.toString();
      assert.match(output, /^COFFER_PATH=shop\/api\/exec COFFER_STATE=LIVE COFFER_VERSION=1 \n/);
      assert.ok(!output.includes(CANARY));
      assert.equal(JSON.parse(readFileSync(list, "utf8")).data.k, `${CANARY} one`);
      const without = await coffer(["watch", "shop/api/exec", "--once", "--exec", "cat"], { env });
      assert.ok(!("data" in JSON.parse(without.stdout.toString())));
    });

    // A command may itself call coffer, which must not warn about the variables of the change.
    it("lets the command call coffer", async () => {
      await put("shop/api/nested", "inner");
      const again = `'${process.execPath}' '${PROGRAM}' get "$COFFER_PATH" k`;
      const ran = await coffer(["watch", "shop/api/nested", "--once", "--exec", again], { env });
      assert.deepEqual([ran.code, ran.stdout.toString(), ran.stderr], [0, `${CANARY} inner`, ""]);
    });

    // The first command holds until the test creates the file. All changes arrive meanwhile.
    it("runs one command at a time, and then for the newest state only", async () => {
      await put("shop/api/busy/a", "1");
      const gate = join(kit.folder, "gate");
      const script = `echo begin $COFFER_PATH $COFFER_VERSION; until [ -e '${gate}' ]; do sleep 0.05; done; echo end`;
      const run = watch(["--prefix", "shop/api/busy/", "--exec", script]);
      await run.printed(/begin/);
      const printing = watch(["--prefix", "shop/api/busy/"]);
      for (let value = 2; value <= 20; value++) await put("shop/api/busy/a", String(value));
      await put("shop/api/busy/z", "1");
      // The server sends the changes to all watchers in the same order.
      await printing.printed(/busy\/z 1 LIVE/);
      writeFileSync(gate, "");
      await run.printed(/begin shop\/api\/busy\/z 1\nend\n/);
      const lines = run.stdout.trimEnd().split("\n");
      assert.deepEqual(
        lines.filter((_, index) => index % 2 === 1),
        lines.filter((_, index) => index % 2 === 1).map(() => "end"),
      );
      const versions = lines.flatMap((line) => /busy\/a (\d+)$/.exec(line)?.[1] ?? []).map(Number);
      assert.equal(versions[0], 1);
      assert.equal(versions.at(-1), 20);
    });

    it("reports a command that fails, and continues", async () => {
      await put("shop/api/fail/a", "1");
      await put("shop/api/fail/b", "1");
      const line = ["watch", "--prefix", "shop/api/fail/", "--once", "--exec"];
      const failing = await coffer([...line, 'case $COFFER_PATH in */a) exit 3;; *) echo "$COFFER_PATH";; esac'], {
        env,
      });
      assert.deepEqual([failing.code, failing.stdout.toString()], [1, "shop/api/fail/b\n"]);
      assert.equal(
        failing.stderr,
        "coffer: the command for shop/api/fail/a 1 exited with 3\ncoffer: failed commands: 1\n",
      );
      assert.equal((await coffer([...line, "exit 0"], { env })).code, 0);
    });

    // The control is the test above: without a signal, the next command runs.
    it("passes a signal to the command, waits for it, and starts no other", async () => {
      await put("shop/api/signal/a", "1");
      await put("shop/api/signal/b", "1");
      const script = `trap 'echo trapped; exit 0' TERM; echo begin; while :; do sleep 0.05; done`;
      const run = watch(["--prefix", "shop/api/signal/", "--exec", script]);
      await run.printed(/begin/);
      run.process.kill("SIGTERM");
      assert.deepEqual(await run.ended, { code: 143, signal: null });
      assert.equal(run.stdout, "begin\ntrapped\n");
    });
  });

  it("keeps values out of the server's log", async () => {
    await kit.settled();
    assert.ok(kit.log.length > 0);
    assert.ok(!JSON.stringify(kit.log).includes(CANARY));
  });
});
