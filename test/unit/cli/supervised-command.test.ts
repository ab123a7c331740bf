import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ExitStatus } from "../../../src/cli/exit-status.ts";
import { NewestSecrets } from "../../../src/cli/run/newest-secrets.ts";
import type { ChangeReaction } from "../../../src/cli/run/change-reaction.ts";
import { SupervisedCommand } from "../../../src/cli/run/supervised-command.ts";
import type { VariableSource } from "../../../src/cli/run/variable-source.ts";
import { Content } from "../../../src/domain/content.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

const MIN_INTERVAL_MS = 10_000;
const GRACE_MS = 5000;

/** A command that ends when the test says so. */
class ScriptedCommand {
  readonly variables: Readonly<Record<string, string>>;
  readonly signals: string[] = [];
  readonly started = Promise.resolve();
  readonly ended: Promise<ExitStatus>;
  end: (status: number) => void = () => {};

  constructor(variables: Readonly<Record<string, string>>) {
    this.variables = variables;
    this.ended = new Promise((resolve) => {
      this.end = (status) => resolve(new ExitStatus(status));
    });
  }

  send(signal: NodeJS.Signals): void {
    this.signals.push(signal);
  }
}

const A: VariableSource = { kind: "secret", path: "a" };
const B: VariableSource = { kind: "value", path: "b", key: "KEY", name: "B" };

function version(path: string, version: number, key = path.toUpperCase()) {
  return { path, version, content: Content.unchecked([{ key, kind: "text", value: Buffer.from(`v${version}`) }]) };
}

/** A supervised command whose sources are A and B, in their versions 1. */
class Supervision {
  readonly timers = new ManualTimers(0);
  readonly secrets = new NewestSecrets([A, B], { HOME: "/" });
  readonly commands: ScriptedCommand[] = [];
  readonly inUse: string[] = [];
  readonly notices: string[] = [];
  /** With this value of A, the command can't be started. */
  refused: string | undefined;
  readonly supervised: SupervisedCommand;
  readonly ended: Promise<ExitStatus>;

  constructor(reaction: ChangeReaction = { kind: "restart" }) {
    this.secrets.set(version("a", 1));
    this.secrets.set(version("b", 1, "KEY"));
    this.supervised = new SupervisedCommand({
      reaction,
      secrets: this.secrets,
      minIntervalMs: MIN_INTERVAL_MS,
      graceMs: GRACE_MS,
      timers: this.timers,
      start: (variables) => {
        if (variables["A"] === this.refused) throw new ExitStatus(126, "can't run it");
        const command = new ScriptedCommand(variables);
        this.commands.push(command);
        return command;
      },
      onInUse: (versions) => this.inUse.push([...versions].map(([path, number]) => `${path}${number}`).join()),
      onNotice: (text) => this.notices.push(text),
    });
    const first = this.secrets.prepare();
    assert.ok(first.kind === "start");
    this.ended = this.supervised.run(first);
  }

  get command(): ScriptedCommand {
    return this.commands.at(-1)!;
  }

  change(path: string, number: number, key?: string): void {
    this.secrets.set(version(path, number, key));
    this.supervised.change();
  }

  /** Advances the clock, by default by the interval, and waits for what happens then. */
  async pass(ms = MIN_INTERVAL_MS): Promise<void> {
    this.timers.advance(ms);
    await settled();
  }

  /** Ends the command that runs. */
  async end(status: number): Promise<void> {
    this.command.end(status);
    await settled();
  }
}

/** Resolves when all promises that are resolved have been handled. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("a supervised command", () => {
  // The command gets time to end, and only then starts again. Its versions are in use when it runs, and not before.
  it("is ended with SIGTERM, and started with the new values", async () => {
    const one = new Supervision();
    await settled();
    assert.deepEqual(one.inUse, ["a1,b1"]);
    await one.pass();
    one.change("a", 2);
    assert.deepEqual(one.command.signals, []);
    await one.pass(100);
    assert.deepEqual(one.command.signals, ["SIGTERM"]);
    assert.deepEqual([one.commands.length, one.inUse.length], [1, 1]);
    await one.end(0);
    assert.deepEqual(
      one.commands.map(({ variables }) => ({ ...variables })),
      [
        { A: "v1", B: "v1" },
        { A: "v2", B: "v1" },
      ],
    );
    assert.deepEqual(one.inUse, ["a1,b1", "a2,b1"]);
    assert.deepEqual(one.notices, ["restarting the command: a version 2"]);
  });

  // A value can be too long for a variable. The versions that the command does not have are not reported.
  it("is started with the earlier values if it can't be started with the new ones", async () => {
    const one = new Supervision();
    await settled();
    one.refused = "v2";
    for (const number of [2, 3]) {
      await one.pass();
      one.change("a", number);
      await one.pass();
      await one.end(0);
    }
    assert.deepEqual(
      one.commands.map(({ variables }) => variables["A"]),
      ["v1", "v1", "v3"],
    );
    assert.deepEqual(one.inUse, ["a1,b1", "a1,b1", "a3,b1"]);
    assert.deepEqual(one.notices, [
      "restarting the command: a version 2",
      "can't run it; starting it with the earlier versions",
      "restarting the command: a version 3",
    ]);
    await one.end(4);
    assert.equal((await one.ended).status, 4);
  });

  // The settings of a secret have changed, or a watch begins: the event has the version that the command has.
  it("is not restarted without a new version", async () => {
    const one = new Supervision();
    one.change("a", 1);
    await one.pass();
    assert.deepEqual([one.command.signals, one.notices], [[], []]);
  });

  it("gets SIGKILL if it has not ended after the grace period, and not before", async () => {
    const one = new Supervision();
    one.change("a", 2);
    await one.pass();
    await one.pass(GRACE_MS - 1);
    assert.deepEqual(one.command.signals, ["SIGTERM"]);
    await one.pass(1);
    assert.deepEqual(one.command.signals, ["SIGTERM", "SIGKILL"]);
    await one.end(137);
    await one.pass(GRACE_MS);
    assert.deepEqual([one.commands.length, one.command.signals], [2, []]);
  });

  // A command that starts slowly would never serve if each change restarted it.
  it("runs for the interval before it is restarted, once for all changes", async () => {
    const one = new Supervision();
    for (let number = 2; number <= 20; number++) one.change("a", number);
    await one.pass(MIN_INTERVAL_MS - 1);
    assert.deepEqual(one.command.signals, []);
    await one.pass(1);
    assert.deepEqual(one.command.signals, ["SIGTERM"]);
    one.change("a", 21);
    await one.pass(200);
    one.change("b", 2, "KEY");
    await one.end(0);
    assert.deepEqual({ ...one.command.variables }, { A: "v21", B: "v2" });
    await one.pass(2 * MIN_INTERVAL_MS);
    assert.deepEqual([one.commands.length, one.command.signals], [2, []]);
    one.change("a", 22);
    await one.pass(100);
    assert.deepEqual(one.command.signals, ["SIGTERM"]);
  });

  // A supervisor above this process decides about a command that crashes.
  it("is not started again when it ends by itself", async () => {
    const one = new Supervision();
    one.change("a", 2);
    await one.end(3);
    assert.equal((await one.ended).status, 3);
    await one.pass();
    assert.equal(one.commands.length, 1);
    assert.deepEqual(one.timers.pauses, []);
  });

  it("is not started again after a signal that ends a program", async () => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
      const one = new Supervision();
      one.change("a", 2);
      await one.pass();
      one.supervised.notice(signal);
      one.supervised.pass(signal);
      assert.deepEqual(one.command.signals, signal === "SIGTERM" ? ["SIGTERM"] : ["SIGTERM", signal]);
      await one.end(143);
      assert.deepEqual([(await one.ended).status, one.commands.length], [143, 1]);
    }
  });

  it("is not restarted while it ends after such a signal, and gets it once", async () => {
    const one = new Supervision();
    one.supervised.notice("SIGTERM");
    one.supervised.pass("SIGTERM");
    one.change("a", 2);
    await one.pass();
    assert.deepEqual(one.command.signals, ["SIGTERM"]);
  });

  // The control of the two tests above.
  it("is started again after any other signal", async () => {
    const one = new Supervision();
    one.change("a", 2);
    await one.pass();
    one.supervised.notice("SIGHUP");
    one.supervised.pass("SIGHUP");
    await one.end(0);
    assert.equal(one.commands.length, 2);
    assert.deepEqual(one.commands[0]!.signals, ["SIGTERM", "SIGHUP"]);
  });

  // No command starts with only a part of its secrets.
  it("keeps running while a secret can't be read, and is restarted when it can", async () => {
    const one = new Supervision();
    assert.ok(one.secrets.drop("b"));
    assert.ok(!one.secrets.drop("b"));
    one.change("a", 2);
    await one.pass();
    assert.deepEqual(one.command.signals, []);
    assert.deepEqual(one.notices, ["the command is not restarted: b can't be read"]);
    one.change("b", 1, "KEY");
    await one.pass(100);
    assert.deepEqual(one.command.signals, ["SIGTERM"]);
  });

  it("keeps running when a new version can't be variables", async () => {
    const one = new Supervision();
    one.change("a", 2, "LD_PRELOAD");
    await one.pass();
    one.change("b", 2, "OTHER");
    await one.pass();
    assert.deepEqual(one.command.signals, []);
    assert.match(one.notices[0]!, /^the command is not restarted: a: LD_PRELOAD controls/);
    assert.match(one.notices[1]!, /version 2 of b does not have the key "KEY"/);
    assert.ok(!one.notices.join().includes("v2"));
    one.change("a", 3);
    one.change("b", 3, "KEY");
    await one.pass();
    await one.end(0);
    assert.deepEqual({ ...one.command.variables }, { A: "v3", B: "v3" });
  });

  // The command was already told to end, so it has to start again.
  it("starts with the planned values if a secret disappears while it ends", async () => {
    const one = new Supervision();
    one.change("a", 2);
    await one.pass();
    one.secrets.drop("a");
    await one.end(0);
    assert.deepEqual({ ...one.command.variables }, { A: "v2", B: "v1" });
  });

  it("gets a signal instead, also if its variables could not be set", async () => {
    const one = new Supervision({ kind: "signal", signal: "SIGHUP" });
    await settled();
    one.change("a", 2, "LD_PRELOAD");
    one.secrets.drop("b");
    await one.pass();
    assert.deepEqual(one.command.signals, ["SIGHUP"]);
    one.change("a", 3);
    one.change("a", 4);
    await one.pass(MIN_INTERVAL_MS - 1);
    assert.deepEqual(one.command.signals, ["SIGHUP"]);
    await one.pass(1);
    assert.deepEqual(one.command.signals, ["SIGHUP", "SIGHUP"]);
    assert.deepEqual(one.inUse, ["a1,b1", "a2", "a4"]);
    assert.deepEqual(one.notices, [
      "sending SIGHUP to the command: a version 2",
      "sending SIGHUP to the command: a version 4",
    ]);
    await one.end(0);
    assert.deepEqual([(await one.ended).status, one.commands.length], [0, 1]);
  });
});
