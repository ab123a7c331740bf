import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { contentOf } from "../support/dump.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";

const site = new Site();
after(() => site.remove());

const PATTERN = "/proc/sys/kernel/core_pattern";

/** Whether a core dump becomes a file in the working directory of the process. */
const dumpsAreFiles = existsSync(PATTERN) && /^core\s*$/.test(readFileSync(PATTERN, "latin1"));

/** The IPv4 ports that a process listens on. */
function portsOf(pid: number): number[] {
  const descriptors = readdirSync(`/proc/${pid}/fd`).map((name) => link(`/proc/${pid}/fd/${name}`));
  return readFileSync("/proc/net/tcp", "latin1")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === "0A" && descriptors.includes(`socket:[${inode}]`))
    .map(([, address]) => Number.parseInt(address!.split(":")[1]!, 16));
}

/** Returns the target of a link; an empty string if the descriptor has been closed since. */
function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** Resolves when the server has answered a Put, which shows that it still serves. */
async function answers(server: ServerProcess): Promise<void> {
  const caller = site.caller(server);
  assert.equal((await caller.put({ path: "a", ...contentOf("one") })).code, "OK");
  caller.close();
}

describe("coffer serve and Node's debugging interfaces", () => {
  // The server does not start if Node's command line or NODE_OPTIONS enables debugging. A line of its output names the
  // option.
  it("refuses to start if an option of Node enables debugging", async () => {
    const keys = join(site.folder, "keys.log");
    const inherited = (options: string) => ({ prefix: ["env", `NODE_OPTIONS=${options}`] });
    for (const [name, options] of [
      ["node --inspect", { node: ["--inspect=127.0.0.1:0"] }],
      ["node --tls-keylog", { node: [`--tls-keylog=${keys}`] }],
      ["node --report-on-signal", { node: ["--report-on-signal"] }],
      ["NODE_OPTIONS --heapsnapshot-signal", inherited("--heapsnapshot-signal=SIGUSR2")],
      ["NODE_OPTIONS --tls-keylog", inherited(`--tls-keylog=${keys}`)],
      ["NODE_DEBUG", { prefix: ["env", "NODE_DEBUG=coffer"] }],
    ] as const) {
      const { code, stderr } = await site.refusal(options);
      assert.equal(code, 2, stderr);
      assert.match(stderr, new RegExp(`^coffer: ${name} .*: remove it, or use --allow-debug$`, "m"));
      assert.doesNotMatch(stderr, /^ +at /m);
    }
  });

  // The control for the test above: with --allow-debug, the server starts with these options, and a log line names
  // them.
  it("starts when debugging is allowed", async () => {
    const keys = join(site.folder, "allowed.log");
    for (const permit of [{ flags: ["--allow-debug"] }, { prefix: ["env", "COFFER_SERVER_ALLOW_DEBUG=true"] }]) {
      const server = await site.start({ node: [`--tls-keylog=${keys}`], ...permit });
      assert.match(String(server.lines("debugging allowed")[0]?.["detail"]), /node --tls-keylog/);
      await answers(server);
      assert.deepEqual(await server.stop(), { code: 0, signal: null });
    }
    assert.match(readFileSync(keys, "latin1"), /SERVER_TRAFFIC_SECRET/);
    const { code, stderr } = await site.refusal({
      node: ["--report-on-signal"],
      prefix: ["env", "COFFER_SERVER_ALLOW_DEBUG=false"],
    });
    assert.equal(code, 2, stderr);
  });

  // After SIGUSR1, only the server's own ports are open, and it still serves. The control: with --allow-debug, the same
  // signal opens a debugger.
  it("opens no debugger on SIGUSR1", { skip: !existsSync("/proc/net/tcp") }, async () => {
    const server = await site.start();
    for (let signals = 1; signals <= 3; signals++) {
      server.signal("SIGUSR1");
      await server.wrote(new RegExp(`(signal ignored[^]*){${signals}}|Debugger listening`));
    }
    assert.deepEqual(portsOf(server.pid), [server.port]);
    await answers(server);
    assert.doesNotMatch(server.stderr, /Debugger listening/);
    await server.stop();

    const open = await site.start({ node: ["--inspect-port=127.0.0.1:0"], flags: ["--allow-debug"] });
    open.signal("SIGUSR1");
    await open.wrote(/Debugger listening on ws:/);
    assert.equal(portsOf(open.pid).length, 2);
    await open.kill();
  });

  // The key of the server's SVID is always in ordinary memory. The dump of a server that allows debugging contains it.
  // The dump of any other server contains no memory.
  it("leaves no memory in a core dump", {
    skip: !dumpsAreFiles && "core dumps are not files in the working directory",
  }, async () => {
    const key = Buffer.from(readFileSync(join(site.folder, "coffer.key"), "latin1").split("\n")[1]!, "latin1");
    const dump = async (name: string, flags: readonly string[]) => {
      const folder = join(site.folder, name);
      mkdirSync(folder);
      const prefix = ["sh", "-c", 'cd "$1" && ulimit -c unlimited && shift && exec "$@"', "sh", folder];
      const server = await site.start({ prefix, flags, data: join(folder, "data") });
      server.signal("SIGABRT");
      assert.equal((await server.ended).signal, "SIGABRT");
      const [core] = readdirSync(folder).filter((file) => file.startsWith("core"));
      return { server, core: join(folder, core!) };
    };
    const full = await dump("full", ["--allow-debug"]);
    assert.ok(readFileSync(full.core).includes(key));
    const empty = await dump("empty", []);
    assert.ok(!readFileSync(empty.core).includes(key));
    assert.ok(statSync(empty.core).size < 1 << 20);
    assert.match(
      JSON.stringify(empty.server.lines("memory may be written to disk")),
      /core dumps are enabled \(limit unlimited\)/,
    );
  });

  // This checks the setting without a dump, for machines where dumps go to a program.
  it("excludes all memory from core dumps", { skip: !existsSync("/proc/self/coredump_filter") }, async () => {
    const filterOf = ({ pid }: ServerProcess) =>
      Number.parseInt(readFileSync(`/proc/${pid}/coredump_filter`, "latin1"), 16);
    const server = await site.start();
    assert.equal(filterOf(server), 0);
    await server.stop();
    const open = await site.start({ flags: ["--allow-debug"] });
    assert.notEqual(filterOf(open), 0);
    await open.stop();
  });
});
