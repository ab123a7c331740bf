import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { type Ran, coffer } from "../support/cli-kit.ts";
import { CommandRun } from "../support/command-run.ts";
import { freePort } from "../support/free-port.ts";
import { ADMIN, API, type Caller, ServerKit, WEB } from "../support/server-kit.ts";
import { until } from "../support/until.ts";

const OPERATOR = "spiffe://example.org/ns/ops/sa/operator";

/** May remove versions, and may not describe them. */
const CLEANER = "spiffe://example.org/ns/ops/sa/cleaner";

const POLICY = `
rules:
  - name: workloads
    spiffe_ids: [${API}, ${WEB}]
    paths: [shop/**]
    actions: [read, watch]
  - name: operator
    spiffe_ids: [${OPERATOR}]
    paths: [shop/**]
    actions: [write, delete, destroy, describe]
  - name: cleaner
    spiffe_ids: [${CLEANER}]
    paths: [shop/**]
    actions: [delete, destroy]
`;

/** A command that prints the variable X, and then runs until a signal ends it. */
const SHOWN = ["sh", "-c", 'echo "started $X"; exec sleep 600'] as const;

const NO_INTERVAL = ["--min-interval", "0s"] as const;

describe("the convergence of watchers on the command line", () => {
  let kit: ServerKit;
  let admin: Caller;
  const variables = new Map<string, Record<string, string>>();
  const running: CommandRun[] = [];
  before(async () => {
    kit = await ServerKit.start({ listen: [{ kind: "tcp", host: "127.0.0.1", port: await freePort() }] });
    writeFileSync(kit.config.policy!, POLICY);
    await kit.restart();
    for (const id of [API, WEB, OPERATOR, CLEANER]) variables.set(id, callerVariables(kit, id, id.split("/").at(-1)!));
    admin = kit.caller(ADMIN);
  });
  after(async () => {
    admin.close();
    await kit.stop();
  });
  // A command outlives a `coffer run` that is killed. So each run is ended with a signal, which it passes on.
  afterEach(async () => {
    await Promise.all(running.splice(0).map(stop));
  });

  async function stop(run: CommandRun): Promise<void> {
    run.process.kill("SIGTERM");
    await run.ended;
  }

  const as = (id: string, ...line: string[]): Promise<Ran> => coffer(line, { env: variables.get(id)! });
  const operator = (...line: string[]) => as(OPERATOR, ...line);

  async function put(path: string, value: string): Promise<void> {
    const { code, message } = await admin.put({ path, data: { X: value } });
    assert.equal(code, "OK", message);
  }

  function start(command: "run" | "watch", id: string, line: readonly string[]): CommandRun {
    const run = new CommandRun(line, { env: variables.get(id)!, command });
    running.push(run);
    return run;
  }

  /** The line of `coffer describe` about the watchers. */
  async function watchersOf(path: string): Promise<string> {
    const { code, stdout, stderr } = await operator("describe", path);
    assert.equal(code, 0, stderr);
    return stdout.toString().split("\n")[1]!;
  }

  async function shows(path: string, line: string): Promise<void> {
    let shown = "";
    await until(`describe shows ${line}, and not ${shown}`, async () => {
      shown = await watchersOf(path);
      return shown === line;
    });
  }

  async function refused(ran: Ran, message: RegExp): Promise<void> {
    assert.equal(ran.code, 5, ran.stderr);
    assert.match(ran.stderr, message);
  }

  // One of the watchers is held back by its interval: it has received the new version, and does not use it.
  it("is shown by describe, and required by delete and destroy", async () => {
    const path = "shop/rotated";
    await put(path, "one");
    assert.equal(await watchersOf(path), "no watchers");
    const quick = start("run", API, ["--watch", ...NO_INTERVAL, "--instance", "quick", path, "--", ...SHOWN]);
    const line = ["--watch", "--min-interval", "1h", "--instance", "held", `X=${path}:X`, "--", ...SHOWN];
    const held = start("run", WEB, line);
    const printing = start("watch", WEB, ["--prefix", "shop/", "--instance", "printing"]);
    await Promise.all([quick.printed(/started one/), held.printed(/started one/), printing.printed(/ 1 LIVE/)]);
    await shows(path, "3 of 3 watchers use version 1");

    await put(path, "two");
    await Promise.all([quick.printed(/started two/), printing.printed(/ 2 LIVE/)]);
    await shows(path, `2 of 3 watchers use version 2; still on 1: ${WEB} (held)`);
    const json = JSON.parse((await operator("describe", path, "-o", "json")).stdout.toString());
    assert.deepEqual(json.convergence, {
      watchers: 3,
      converged: 2,
      behind: [{ spiffe_id: WEB, instance: "held", version: 1, state: "IN_USE" }],
    });

    const destroy = ["destroy", path, "--versions", "1", "--yes"];
    const remove = ["delete", path, "--versions", "1"];
    const named = new RegExp(
      `1 .*${WEB} \\(held\\).*\ncoffer: nothing was changed: see the watchers with coffer describe\n$`,
    );
    await refused(await operator(...destroy, "--require-converged"), named);
    await refused(await operator(...remove, "--require-converged"), named);
    // Who watches a secret is visible only to those that may describe it.
    const unnamed = await as(CLEANER, ...destroy, "--require-converged");
    await refused(unnamed, /\b1\b/);
    assert.ok(!unnamed.stderr.includes(WEB) && !unnamed.stderr.includes("held"), unnamed.stderr);
    assert.equal((await as(API, "get", path, "X", "--version", "1")).stdout.toString(), "one");

    await stop(held);
    await shows(path, "2 of 2 watchers use version 2");
    // One of three watchers is gone, and those that are connected use the newest version.
    for (const line of [destroy, remove]) {
      const few = await operator(...line, "--require-converged", "--min-watchers", "3");
      await refused(few, /^coffer: only 2 of at least 3 watchers of shop\/rotated are connected\ncoffer: nothing was/);
    }
    assert.equal((await operator(...destroy, "--min-watchers", "2")).code, 2, "it needs --require-converged");
    assert.equal((await operator(...destroy, "--require-converged", "--min-watchers", "2")).stderr, "");
    assert.equal((await as(API, "get", path, "--version", "1")).code, 3);
  });

  it("does not hold back a delete or destroy that does not require it", async () => {
    const path = "shop/free";
    await put(path, "one");
    const held = start("run", API, ["--watch", "--min-interval", "1h", path, "--", ...SHOWN]);
    await held.printed(/started one/);
    await put(path, "two");
    assert.equal((await operator("delete", path, "--versions", "1")).code, 0);
    assert.equal((await operator("destroy", path, "--versions", "1", "--yes")).code, 0);
  });

  // An operation of a commit has the same condition, and the message has its index.
  it("is required by operations of a commit", async () => {
    const path = "shop/committed";
    await put(path, "one");
    const held = start("run", API, ["--watch", "--min-interval", "1h", "--instance", "held", path, "--", ...SHOWN]);
    await held.printed(/started one/);
    await put(path, "two");
    await shows(path, `0 of 1 watchers use version 2; still on 1: ${API} (held)`);
    const file = join(kit.folder, "commit.yaml");
    const commit = (minWatchers: number) => {
      const fields = `path: ${path}, versions: [1], require_converged: true, min_watchers: ${minWatchers}`;
      writeFileSync(file, `operations: [{destroy: {${fields}}}]`);
      return operator("commit", "-f", file, "--yes");
    };
    await refused(await commit(1), /^coffer: operation 0: 1 watcher does not use version 2 /);
    await stop(held);
    await shows(path, "no watchers");
    await refused(await commit(1), /^coffer: operation 0: only 0 of at least 1 watchers /);
    assert.equal((await commit(0)).code, 0);
  });

  // A command of --exec uses a version when it has succeeded for it.
  it("counts coffer watch --exec when its command has succeeded", async () => {
    const path = "shop/executed";
    await put(path, "one");
    const script = '[ "$COFFER_VERSION" != 2 ] && echo "done $COFFER_VERSION"';
    const run = start("watch", API, [path, "--exec", script, "--instance", "exec"]);
    await run.printed(/done 1/);
    await shows(path, "1 of 1 watchers use version 1");
    await put(path, "two");
    await run.wrote(/exited with 1/);
    assert.equal(await watchersOf(path), `0 of 1 watchers use version 2; still on 1: ${API} (exec)`);
    await put(path, "three");
    await shows(path, "1 of 1 watchers use version 3");
  });

  // The signal is all that `coffer run` can do for a command that reads the secret itself.
  it("counts a command that has received the signal", async () => {
    const path = "shop/signalled";
    await put(path, "one");
    const script = 'trap "echo reloaded" HUP; echo started; while :; do sleep 0.05; done';
    const run = start("run", API, ["--watch=HUP", ...NO_INTERVAL, path, "--", "sh", "-c", script]);
    await run.printed(/started/);
    await put(path, "two");
    await run.printed(/reloaded/);
    await shows(path, "1 of 1 watchers use version 2");
  });

  // Reports are in memory. The clients repeat them on their new streams.
  it("is the same after a restart of the server", async () => {
    const path = "shop/restarted";
    await put(path, "one");
    const run = start("run", API, ["--watch", ...NO_INTERVAL, "--instance", "kept", path, "--", ...SHOWN]);
    await run.printed(/started one/);
    await shows(path, "1 of 1 watchers use version 1");
    await kit.restart();
    await shows(path, "1 of 1 watchers use version 1");
  });
});
