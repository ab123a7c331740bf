import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { type Ran, type RunOptions, coffer, runToEnd } from "../support/cli-kit.ts";
import { fetchOps } from "../support/fetch-ops.ts";
import { nextMiss } from "../support/missed-reads.ts";
import { API, ServerKit, WEB } from "../support/server-kit.ts";

/** Part of every value here, so that the tests can search for it where no value may appear. */
const CANARY = "canary-5f1d";

interface Content {
  readonly data?: Readonly<Record<string, string>>;
  readonly binary_data?: Readonly<Record<string, Buffer>>;
}

describe("coffer run", () => {
  let kit: ServerKit;
  let env: Record<string, string>;
  let marker: string;
  before(async () => {
    kit = await ServerKit.start();
    env = callerVariables(kit, API, "api");
    marker = join(kit.folder, "marker");
  });
  after(() => kit.stop());

  async function put(path: string, content: Content): Promise<string> {
    const caller = kit.caller(API);
    assert.equal((await caller.put({ path: `shop/api/${path}`, ...content })).code, "OK");
    caller.close();
    return `shop/api/${path}`;
  }

  async function run(line: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const ran = await coffer(["run", ...line], { cwd: kit.folder, ...options, env: { ...env, ...options.env } });
    assert.ok(!ran.stderr.includes(CANARY), ran.stderr);
    return ran;
  }

  /** Runs a command with these sources, and returns its environment. */
  async function environment(sources: readonly string[], options: RunOptions = {}): Promise<Map<string, string>> {
    const ran = await run([...sources, "--", "env", "-0"], options);
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
    const lines = ran.stdout.toString().split("\0").slice(0, -1);
    return new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
  }

  /** Asserts that such a run is refused with this code and message, and that the command did not run. */
  async function refused(sources: readonly string[], code: number, message: RegExp, options?: RunOptions) {
    const ran = await run([...sources, "--", "touch", marker], options);
    assert.equal(ran.code, code, ran.stderr);
    assert.match(ran.stderr, message);
    assert.doesNotMatch(ran.stderr, /^ +at /m);
    assert.ok(!existsSync(marker), "the command was run");
  }

  // ---- what the command gets

  // Every value arrives unchanged, `__proto__` is an ordinary name, and all other variables are passed as well,
  // including those for the connection to the server.
  it("adds secrets to the environment", async () => {
    const values = { A: `${CANARY} 'it"s' $HOME \`x\`\n\\`, _b1: "", __proto__x: "é ☃" };
    const path = await put("env", { data: values, binary_data: { ["__proto__"]: Buffer.from("own") } });
    const other = await put("other", { data: { OTHER: "2" } });
    const given = await environment([path, other], { env: { KEPT: "1" } });
    for (const [name, value] of Object.entries({ ...values, OTHER: "2", KEPT: "1", ...env })) {
      assert.equal(given.get(name), value, name);
    }
    assert.equal(given.get("__proto__"), "own");
  });

  // Between two reads, a secret could change: the command would get the user of one version and the password of
  // another.
  it("reads a secret once for any number of its values", async () => {
    const path = await put("pair", { data: { user: "app", password: CANARY } });
    const gets = async () => {
      const body = await (await fetchOps(`${kit.opsUrl}/metrics`)).text();
      return Number(/^grpc_server_handled_total\{.*grpc_method="Get",grpc_code="OK"\} (\d+)$/m.exec(body)![1]);
    };
    const before = await gets();
    const given = await environment([`U=${path}:user`, `P=${path}:password`]);
    assert.deepEqual([given.get("U"), given.get("P"), (await gets()) - before], ["app", CANARY, 1]);
  });

  it("gives a value the name on the command line", async () => {
    const path = await put("db", { data: { "db.password": CANARY, user: "app" } });
    const given = await environment([`DB_PASSWORD=${path}:db.password`, `U=${path}:user`]);
    assert.deepEqual([given.get("DB_PASSWORD"), given.get("U"), given.has("user")], [CANARY, "app", false]);
  });

  // No shell interprets the arguments: a command, variable or pattern in them arrives unchanged.
  it("passes the arguments unchanged", async () => {
    const path = await put("plain", { data: { X: CANARY } });
    const words = ["$X", "$(touch marker)", "; touch marker", "*", "--", "-x", "--wait", "a b", ""];
    const ran = await run([path, "--", "printf", "%s|", ...words]);
    assert.equal(ran.stdout.toString(), `${words.join("|")}|`);
    assert.ok(!existsSync(marker));
  });

  it("passes its standard streams to the command", async () => {
    const path = await put("streams", { data: { X: CANARY } });
    const ran = await run([path, "--", "sh", "-c", "cat; echo passed >&2"], { input: "through" });
    assert.deepEqual([ran.code, ran.stdout.toString(), ran.stderr], [0, "through", "passed\n"]);
  });

  // The command inherits no additional descriptor, and the connection to the server is closed.
  it("has closed its connection when the command runs", { skip: !existsSync("/proc/net/tcp") }, async () => {
    const path = await put("closed", { data: { X: CANARY } });
    const port = Number(env["COFFER_ADDR"]!.split(":")[1]).toString(16).toUpperCase().padStart(4, "0");
    // Finds the connections to the server that the parent has open: one of its descriptors has their inode.
    const script = `
      const { readdirSync, readFileSync, readlinkSync } = require("node:fs");
      const link = (fd) => { try { return readlinkSync("/proc/" + process.ppid + "/fd/" + fd) } catch { return "" } };
      const open = () => {
        const rows = readFileSync("/proc/net/tcp", "latin1").split("\\n").map((row) => row.trim().split(/\\s+/));
        const mine = new Set(readdirSync("/proc/" + process.ppid + "/fd").map(link));
        return rows.filter(([, , to, , , , , , , inode]) => to?.endsWith(":${port}") && mine.has("socket:[" + inode + "]"));
      };
      while (open().length > 0);
      console.log("none");`;
    const ran = await run([path, "--", process.execPath, "-e", script]);
    assert.equal(ran.stdout.toString(), "none\n");
    const list = ["sh", "-c", "ls /proc/$$/fd"];
    const without = await runToEnd("sh", list.slice(1), {});
    assert.deepEqual((await run([path, "--", ...list])).stdout.toString(), without.stdout.toString());
  });

  // ---- what it refuses

  // A caller that may write a secret chooses its keys. No key may decide what the command loads or runs, and none may
  // replace a variable that is set. The control is the same value under the same name, if the command line names it.
  it("does not let a secret decide what the command loads or runs", async () => {
    const library = join(kit.folder, `${CANARY}.so`);
    for (const name of ["LD_PRELOAD", "NODE_OPTIONS", "BASH_ENV", "PATH", "COFFER_SERVER_ID", "HTTPS_PROXY"]) {
      const path = await put(`attack/${name}`, { data: { [name]: library } });
      const message = new RegExp(
        `^coffer: ${path}: ${name} controls .*; if this is intended, use ${name}=${path}:${name}\n$`,
      );
      await refused([path], 2, message);
    }
    const given = await environment(["PYTHONSTARTUP=shop/api/attack/BASH_ENV:BASH_ENV"]);
    assert.equal(given.get("PYTHONSTARTUP"), library);

    const path = await put("attack/set", { data: { SITE: CANARY } });
    await refused([path], 2, /set: the variable SITE is already set; if this is intended, use SITE=/, {
      env: { SITE: "" },
    });
    assert.equal((await environment([path])).get("SITE"), CANARY);
    assert.equal((await environment([`SITE=${path}:SITE`], { env: { SITE: "" } })).get("SITE"), CANARY);
  });

  // The message names all entries that cannot be variables. The other entries can be requested one by one.
  it("refuses entries that cannot be variables", async () => {
    const path = await put("impossible", {
      data: { "tls.key": CANARY, NUL: `${CANARY}\0`, GOOD: CANARY },
      binary_data: { BYTES: Buffer.from([0xff, 1]) },
    });
    await refused([path], 2, /tls\.key is not a valid variable name\n.*NUL contains a NUL.*\n.*BYTES is not UTF-8\n$/);
    await refused([`B=${path}:BYTES`], 2, /the value of B is not UTF-8/);
    assert.equal((await environment([`GOOD=${path}:GOOD`])).get("GOOD"), CANARY);
  });

  it("refuses a name that comes from two secrets", async () => {
    const [a, b] = [await put("two/a", { data: { X: CANARY } }), await put("two/b", { data: { X: "b", Y: "y" } })];
    await refused([a, b], 2, /^coffer: the variable X has several sources: shop\/api\/two\/a, shop\/api\/two\/b\n$/);
    await refused([a, `X=${b}:Y`], 2, /the variable X has several sources/);
    assert.equal((await environment([a, `Y=${b}:Y`])).get("Y"), "y");
  });

  // A user who writes NAME=VALUE, as for env, has put a secret on the command line. The message does not repeat it.
  it("refuses an invalid command line", async () => {
    const path = await put("line", { data: { X: "x" } });
    for (const source of [`X=${CANARY}`, `X=${path}`, `=${path}:X`, `1X=${path}:X`, `X=${path}:X:Y`, `X=:X`]) {
      await refused([source], 2, /^coffer: invalid argument 1: expected PATH or NAME=PATH:KEY\n$/);
    }
    await refused([], 2, /missing secret before --/);
    assert.equal((await run([path])).code, 2);
    assert.equal((await run([path, "--"])).code, 2);
    assert.equal((await run([path, "touch", marker])).code, 2);
    assert.ok(!existsSync(marker));
  });

  // Each failure has the exit code that all commands use for it, and a line on standard error.
  it("reports why it did not run the command", async () => {
    const path = await put("codes", { data: { X: CANARY } });
    await refused(["shop/api/none"], 3, /^coffer: there is no secret at shop\/api\/none\n$/);
    await refused([`X=${path}:none`], 3, /^coffer: version 1 of shop\/api\/codes does not have the key "none"\n$/);
    await refused([path], 4, /^coffer: no rule allows/, { env: callerVariables(kit, WEB, "web") });
    await refused([path], 6, /^coffer: nothing answers/, { env: { COFFER_ADDR: "127.0.0.1:1" } });
    await refused([path], 7, /^coffer: .*expected/, { env: { COFFER_SERVER_ID: "spiffe://example.org/other" } });
    await refused([path, "--wait", "soon"], 2, /invalid duration "soon"/);
    assert.equal((await run([path, "--", "true"])).code, 0);
  });

  // ---- its exit code

  it("exits with the code of the command", async () => {
    const path = await put("exit", { data: { X: CANARY } });
    for (const [script, code] of [
      ["exit 0", 0],
      ["exit 1", 1],
      ["exit 3", 3],
      ["exit 255", 255],
      ["kill -TERM $$", 143],
      ["kill -KILL $$", 137],
      ["kill -SEGV $$", 139],
    ] as const) {
      const ran = await run([path, "--", "sh", "-c", script]);
      assert.deepEqual([ran.code, ran.stderr], [code, ""], script);
    }
  });

  it("exits with a shell's codes if the program can't be run", async () => {
    const path = await put("norun", { data: { X: CANARY } });
    const script = join(kit.folder, "script");
    writeFileSync(script, "#!/bin/sh\n");
    const exits = async (word: string, code: number, message: RegExp) => {
      const ran = await run([path, "--", word]);
      assert.equal(ran.code, code, ran.stderr);
      assert.match(ran.stderr, message);
    };
    await exits("no-such-program", 127, /^coffer: can't run no-such-program: program not found\n$/);
    await exits(script, 126, /^coffer: can't run \S+script: this user may not execute it\n$/);
    await exits(kit.folder, 126, /may not execute/);
    chmodSync(script, 0o755);
    await exits(script, 0, /^$/);
    const large = await put("large", { data: { X: CANARY.repeat(20_000) } });
    const ran = await run([large, "--", "true"]);
    assert.deepEqual(
      [ran.code, ran.stderr],
      [126, "coffer: can't run true: its variables and arguments exceed the limit of the operating system\n"],
    );
  });

  // Coffer searches for the program on the command's PATH, as env does.
  it("finds a program by PATH", async () => {
    const path = await put("path", { data: { X: CANARY } });
    const folder = join(kit.folder, "bin");
    mkdirSync(folder);
    writeFileSync(join(folder, "own-program"), "#!/bin/sh\necho found\n", { mode: 0o755 });
    const ran = await run([path, "--", "own-program"], { env: { PATH: `${folder}:${process.env["PATH"]}` } });
    assert.equal(ran.stdout.toString(), "found\n");
  });

  it("waits for a secret", async () => {
    const path = "shop/api/late";
    const missed = nextMiss(kit);
    const waiting = run([path, "--wait", "600s", "--", "sh", "-c", 'printf %s "$X"']);
    await missed();
    await put("late", { data: { X: "here" } });
    assert.equal((await waiting).stdout.toString(), "here");
  });

  it("keeps values out of the server's log", async () => {
    await kit.settled();
    assert.ok(kit.log.length > 0);
    assert.ok(!JSON.stringify(kit.log).includes(CANARY));
  });
});
