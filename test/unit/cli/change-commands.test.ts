import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ExitStatus } from "../../../src/cli/exit-status.ts";
import type { ChildCommand } from "../../../src/cli/run/child-command.ts";
import { ChangeCommands } from "../../../src/cli/watch/change-commands.ts";
import type { ShownChange } from "../../../src/cli/watch/shown-change.ts";
import { Content } from "../../../src/domain/content.ts";

const CANARY = "canary-77aa";

function change(path: string, version: number): ShownChange {
  const content = Content.unchecked([{ key: "k", kind: "text", value: Buffer.from(CANARY) }]);
  const times = { time: 0, createTime: 0, expireTime: undefined };
  return { ...times, path, version, state: "LIVE", revision: version, content };
}

/** Commands that end when the test says so. */
class ScriptedCommands {
  readonly started: ChildCommand[] = [];
  readonly signals: string[] = [];
  readonly done: string[] = [];
  readonly notices: string[] = [];
  readonly commands: ChangeCommands;
  #end: (status: number) => void = () => {};

  constructor() {
    this.commands = new ChangeCommands({
      command: "run-me",
      env: { HOME: "/" },
      start: (command) => {
        this.started.push(command);
        const ended = new Promise<ExitStatus>((resolve) => {
          this.#end = (status) => resolve(new ExitStatus(status));
        });
        return { ended, send: (signal) => this.signals.push(signal) };
      },
      onDone: ({ path, version }) => this.done.push(`${path}${version}`),
      onNotice: (text) => this.notices.push(text),
    });
  }

  get names(): string[] {
    return this.started.map(({ env }) => `${env["COFFER_PATH"]}${env["COFFER_VERSION"]}`);
  }

  async end(status = 0): Promise<void> {
    this.#end(status);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("the commands of coffer watch --exec", () => {
  // The arguments and the environment of a process can be read by other processes. The standard input can't.
  it("get the change in their environment, and values only on standard input", async () => {
    const one = new ScriptedCommands();
    await one.commands.add(change("a/b", 7));
    const [{ program, arguments: words, env, input }] = one.started as [ChildCommand];
    assert.deepEqual([program, words], ["sh", ["-c", "run-me"]]);
    assert.deepEqual(env, { HOME: "/", COFFER_PATH: "a/b", COFFER_VERSION: "7", COFFER_STATE: "LIVE" });
    assert.deepEqual(JSON.parse(input!).data, { k: CANARY });
    assert.ok(input!.endsWith("}\n"));
  });

  it("do not overlap, and a change that waits is replaced by a newer one", async () => {
    const one = new ScriptedCommands();
    for (const [path, version] of [
      ["a", 1],
      ["a", 2],
      ["b", 1],
      ["c", 1],
      ["b", 2],
      ["a", 3],
    ] as const)
      await one.commands.add(change(path, version));
    assert.deepEqual(one.names, ["a1"]);
    for (let times = 0; times < 3; times++) await one.end();
    assert.deepEqual(one.names, ["a1", "c1", "b2", "a3"]);
    assert.deepEqual(one.done, ["a1", "c1", "b2"]);
    await one.end();
    await one.commands.idle();
    await one.commands.add(change("a", 4));
    assert.deepEqual(one.names.at(-1), "a4");
  });

  it("are reported when they fail, and the next one runs", async () => {
    const one = new ScriptedCommands();
    await one.commands.add(change("a", 1));
    await one.commands.add(change("b", 1));
    await one.end(3);
    assert.deepEqual(one.notices, ["the command for a 1 exited with 3"]);
    assert.deepEqual([one.names.at(-1), one.done, one.commands.failures], ["b1", [], 1]);
    await one.end(0);
    assert.deepEqual(one.done, ["b1"]);
  });

  it("get signals while they run, and none is started after the end", async () => {
    const one = new ScriptedCommands();
    await one.commands.add(change("a", 1));
    await one.commands.add(change("b", 1));
    one.commands.send("SIGTERM");
    one.commands.end();
    await one.end(143);
    await one.commands.idle();
    one.commands.send("SIGTERM");
    assert.deepEqual([one.names, one.signals], [["a1"], ["SIGTERM"]]);
    assert.deepEqual([one.notices, one.done, one.commands.failures], [[], [], 0]);
  });

  // A snapshot of many secrets would otherwise be held in memory with all its values. Of the changes
  // that are not read yet, the server keeps only the newest of each secret.
  it("wait for space when very many changes wait", async () => {
    const one = new ScriptedCommands();
    const add = async (count: number) => {
      for (let index = 0; index < count; index++) await one.commands.add(change(`p${index}`, 1));
    };
    await add(1 + 1024);
    let isAdded = false;
    const more = one.commands.add(change("more", 1)).then(() => (isAdded = true));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(!isAdded);
    await one.end();
    await more;
  });
});
