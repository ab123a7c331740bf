import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { coffer, PROGRAM, type Ran, type RunOptions, runToEnd } from "../support/cli-kit.ts";
import { API, ServerKit } from "../support/server-kit.ts";

const hasTerminals = spawnSync("script", ["-qec", "true", "/dev/null"]).status === 0;
const canMount = spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/dev"]).status === 0;
const withTerminal = { skip: !hasTerminals && "no script(1)" };

/** Terms of libraries and of the system that no message may contain. */
const RAW = /LB pick|name resolution|routines|\.c:\d|^coffer: $|\bE[A-Z]{4,}\b/m;

describe("the output of the command line", () => {
  let kit: ServerKit;
  let env: Record<string, string>;
  const listeners: Server[] = [];
  before(async () => {
    kit = await ServerKit.start();
    env = callerVariables(kit, API, "api");
  });
  after(() => kit.stop());
  afterEach(() => {
    for (const listener of listeners.splice(0)) listener.close();
  });

  const run = (line: string, options: RunOptions = {}): Promise<Ran> =>
    coffer(line.split(" "), { cwd: kit.folder, ...options, env: { ...env, ...options.env } });

  /** Runs a command line of sh that calls `coffer`, in a new terminal. Returns what the terminal shows. */
  async function onTerminal(line: string, input = ""): Promise<{ code: number | null; shown: string }> {
    const shell = `coffer() { "${process.execPath}" "${PROGRAM}" "$@"; }; ${line}`;
    const ran = await runToEnd("script", ["-qec", shell, "/dev/null"], { cwd: kit.folder, env, input });
    return { code: ran.code, shown: ran.stdout.toString().replaceAll("\r\n", "\n") };
  }

  /** Starts a TCP server and returns its address. */
  async function listening(onConnection: Parameters<typeof createServer>[1]): Promise<string> {
    const listener = createServer(onConnection!).listen(0, "127.0.0.1");
    listeners.push(listener);
    await once(listener, "listening");
    return `127.0.0.1:${(listener.address() as { readonly port: number }).port}`;
  }

  // Each message states what happened, whether a change may have been applied, and what to do, without a library's own
  // message.
  it("states what happened, whether a change was applied, and what to do", async () => {
    const silent = await listening((socket) => socket.on("error", () => {}));
    const http = await listening((socket) => socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    for (const [line, code, expected] of [
      [
        `put shop/api/x a=b --addr ${silent} --timeout 100ms`,
        6,
        `coffer: there was no connection to ${silent} in time, and nothing was sent; ` +
          "check the address, or use a longer timeout\ncoffer: nothing was changed\n",
      ],
      [
        `put shop/api/x a=b --addr ${http}`,
        7,
        `coffer: ${http} does not complete a TLS 1.3 handshake: the server at this address does not speak TLS; ` +
          "it may be a port for plain HTTP\ncoffer: nothing was changed\n",
      ],
      [
        "get shop/api/x --addr nohost.invalid:1",
        6,
        "coffer: nothing answers at nohost.invalid:1: its name can't be resolved; " +
          "check the address, and that the server runs\n",
      ],
      ["put shop/api/x k=@missing", 2, "coffer: can't read the value of k: missing does not exist\n"],
    ] as const) {
      const ran = await run(line);
      assert.deepEqual([ran.code, ran.stderr], [code, expected], line);
      assert.doesNotMatch(ran.stderr, RAW);
    }
  });

  // The server of this test accepts connections and never answers. It closes them when the progress is shown.
  it("shows on a terminal what a long command waits for", withTerminal, async () => {
    const sockets: Socket[] = [];
    const silent = await listening((socket) => sockets.push(socket.on("error", () => {})));
    const line = `get shop/api/x --addr ${silent}`;
    const ran = await runToEnd(
      "script",
      ["-qec", `"${process.execPath}" "${PROGRAM}" ${line} --timeout 10m`, "/dev/null"],
      {
        env,
        answer: (shown) => {
          if (shown.includes("waiting for the server: ")) for (const socket of sockets) socket.destroy();
          return undefined;
        },
      },
    );
    assert.equal(ran.code, 7, ran.stdout.toString());
    assert.match(ran.stdout.toString(), /\r\u001b\[Kwaiting for the server: \d+ s\r\u001b\[Kcoffer: /);
    // Into a pipe or a log, only the error is written.
    const piped = await run(`${line} --timeout 3s`);
    assert.match(piped.stderr, /^coffer: there was no connection/);
  });

  // When the reader of the output has closed the pipe, as `head` does, the command ends silently with the exit code of
  // SIGPIPE.
  it("is not written when the reader has closed the pipe", async () => {
    const command = `"${process.execPath}" "${PROGRAM}" list 2>errors; echo $? >code`;
    // The command starts when no reader is left: a FIFO that a reader has opened and closed has none.
    const ran = await runToEnd("bash", ["-c", `mkfifo pipe; exec 4<>pipe 5>pipe 4<&-; ( ${command} ) >&5`], {
      cwd: kit.folder,
      env,
    });
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(readFileSync(join(kit.folder, "errors"), "utf8"), "");
    assert.equal(readFileSync(join(kit.folder, "code"), "utf8"), "141\n");
  });

  it("reports that output can't be written", { skip: process.platform !== "linux" && "no /dev/full" }, async () => {
    const ran = await runToEnd("sh", ["-c", `"${process.execPath}" "${PROGRAM}" list >/dev/full`], {
      cwd: kit.folder,
      env,
    });
    assert.deepEqual([ran.code, ran.stderr], [1, "coffer: can't write the output: no space left on the disk\n"]);
  });

  // Values that look like a source are written literally with :=, and read back unchanged.
  it("takes values literally after :=", async () => {
    for (const value of ["@x", "-", "?"]) {
      assert.equal((await run(`put shop/api/literal k:=${value}`)).code, 0);
      assert.equal((await run("get shop/api/literal k")).stdout.toString(), value);
    }
  });

  it("accepts -o=json for -o json", async () => {
    await run("put shop/api/format a=b");
    const secret = JSON.parse((await run("get shop/api/format -o=json")).stdout.toString());
    assert.deepEqual(secret.data, { a: "b" });
    const wrong = await run("get shop/api/format -o=yaml");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /unknown format "yaml": expected table, json, env, raw/);
  });

  // Without the option, an empty value is refused; with it, the value is stored.
  it("stores no empty value by mistake", async () => {
    await run("put shop/api/slip password=old");
    writeFileSync(join(kit.folder, "empty"), "");
    for (const source of ["password=-", "password=@empty", "password="]) {
      const ran = await run(`put shop/api/slip ${source}`);
      assert.deepEqual(
        [ran.code, ran.stderr],
        [2, "coffer: the value of password is empty; use --allow-empty to store an empty value\n"],
      );
    }
    assert.equal((await run("get shop/api/slip password")).stdout.toString(), "old");
    assert.equal((await run("put shop/api/slip password=- --allow-empty")).code, 0);
    assert.equal((await run("get shop/api/slip password")).stdout.length, 0);
  });

  // A file or a pipe gets the exact bytes. A terminal would interpret escape sequences.
  it("escapes values only on a terminal", withTerminal, async () => {
    const value = "one\n\ttwo\u001b[2Jthree\u202e\n";
    await run("put shop/api/lines k=-", { input: value });
    assert.equal((await run("get shop/api/lines k")).stdout.toString(), value);
    assert.equal((await run("get shop/api/lines k --out -")).stdout.toString(), value);
    const escaped = "one\n\ttwo\\u001b[2Jthree\\u202e\n";
    assert.deepEqual(await onTerminal("coffer get shop/api/lines k"), { code: 0, shown: escaped });
    const piped = await onTerminal("coffer get shop/api/lines k | od -An -c");
    assert.match(piped.shown, /033/);
  });

  it("shows no binary values on a terminal", withTerminal, async () => {
    await run("put shop/api/binary k=-", { input: Buffer.from([0, 255, 27, 10]) });
    const { shown } = await onTerminal("coffer get shop/api/binary k");
    assert.equal(shown, "(4 bytes that are not text; write them to a file or a pipe)\n");
  });

  // /dev/stdout is a link. An earlier version of the command, run by root, renamed its output file to /dev/stdout. This
  // replaced the link by a file with a secret, for all programs of the machine. The test gives the command a private
  // /dev, where a fault does no harm.
  it("does not replace /dev/stdout", { skip: !canMount && "needs root and a mount namespace" }, async () => {
    await run("put shop/api/out k=v");
    const script = `mount -t tmpfs tmpfs /dev && ln -s /proc/self/fd/1 /dev/stdout &&
      { "$0" "$1" get shop/api/out k --out /dev/stdout >redirected; echo "$?"; readlink /dev/stdout; }`;
    const words = ["--mount", "sh", "-c", script, process.execPath, PROGRAM];
    const ran = await runToEnd("unshare", words, { cwd: kit.folder, env });
    assert.equal(ran.stdout.toString(), "2\n/proc/self/fd/1\n", ran.stderr);
    assert.match(ran.stderr, /^coffer: --out \/dev\/stdout is below \/dev, .* use --out - for standard output\n$/);
    assert.equal(readFileSync(join(kit.folder, "redirected"), "utf8"), "");
    // The control: --out - is standard output.
    assert.equal((await run("get shop/api/out k --out -")).stdout.toString(), "v");
  });
});

describe("a question on a terminal", withTerminal, () => {
  let kit: ServerKit;
  let env: Record<string, string>;
  before(async () => {
    kit = await ServerKit.start();
    env = callerVariables(kit, API, "api");
  });
  after(() => kit.stop());

  /** Runs `coffer put` in a new terminal, and answers each question in turn. */
  async function answering(...answers: readonly string[]): Promise<Ran> {
    const rest = [...answers];
    const line = `"${process.execPath}" "${PROGRAM}" put shop/api/asked 'password=?'`;
    return runToEnd("script", ["-qec", line, "/dev/null"], {
      cwd: kit.folder,
      env,
      // The terminal is in raw mode once it shows a question.
      answer: (shown) => (/: $/.test(shown) ? rest.shift() : undefined),
    });
  }

  // After Ctrl-C or the answer no, nothing is changed.
  it("asks before a change that can't be undone", async () => {
    await coffer(["put", "shop/api/final", "k=v"], { env });
    const destroying = (answer: string) => {
      const rest = [answer];
      const line = `"${process.execPath}" "${PROGRAM}" destroy shop/api/final`;
      const options = { env, answer: (shown: string) => (shown.includes("[y/N] ") ? rest.shift() : undefined) };
      return runToEnd("script", ["-qec", line, "/dev/null"], options);
    };
    for (const [answer, code, shown] of [
      ["\r", 1, /coffer: not confirmed; nothing was changed/],
      ["n\r", 1, /coffer: not confirmed; nothing was changed/],
      ["\u0003", 130, /interrupted; nothing was changed/],
    ] as const) {
      const ran = await destroying(answer);
      assert.equal(ran.code, code, ran.stdout.toString());
      assert.match(
        ran.stdout.toString(),
        /Do you want to destroy the newest version of shop\/api\/final\? This can't be undone/,
      );
      assert.match(ran.stdout.toString(), shown);
      assert.equal((await coffer(["get", "shop/api/final", "k"], { env })).stdout.toString(), "v");
    }
    assert.equal((await destroying("yes\r")).code, 0);
    assert.equal((await coffer(["get", "shop/api/final", "k"], { env })).code, 3);
  });

  const stored = async () => (await coffer(["get", "shop/api/asked", "password"], { env })).stdout.toString();

  it("asks twice, and shows neither answer", async () => {
    const ran = await answering("s3cret\r", "s3cret\r");
    assert.equal(ran.code, 0);
    assert.doesNotMatch(ran.stdout.toString(), /s3cret/);
    assert.match(ran.stdout.toString(), /password: \s+password, again: \s+shop\/api\/asked version 1 /);
    assert.equal(await stored(), "s3cret");
  });

  it("changes nothing when the answers differ, when they are empty, and at Ctrl-C", async () => {
    const before = await stored();
    for (const [answers, code, shown] of [
      [["one\r", "two\r"], 2, /the two values for password differ; nothing was changed/],
      [["\r"], 2, /the value of password is empty/],
      [["s3c\u0003"], 130, /interrupted; nothing was changed/],
    ] as const) {
      const ran = await answering(...answers);
      assert.equal(ran.code, code);
      assert.match(ran.stdout.toString(), shown);
    }
    assert.equal(await stored(), before);
  });
});
