import assert from "node:assert/strict";
import { readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { ClientError } from "../../../src/client/client-error.ts";
import { AgentFolder, BEGIN, ScriptedAgent } from "../../support/scripted-agent.ts";

const ONE = `
targets:
  - name: db
    directory: DIR/db
    secret: shop/db
    on_change: {command: [reload]}
`;

const BOTH = `
targets:
  - name: both
    directory: DIR/both
    files:
      - {file: a, secret: shop/a, key: k}
      - {file: b, secret: shop/b, key: k}
`;

const HOUR = 3_600_000;

let folder: AgentFolder;
const agents: ScriptedAgent[] = [];
beforeEach(() => {
  folder = new AgentFolder();
});
afterEach(async () => {
  for (const agent of agents.splice(0)) {
    for (const running of agent.running) running.end({ kind: "done" });
    await agent.stop();
  }
  folder.remove();
});

function start(text: string, mode: "running" | "once" | "stopped" = "running"): ScriptedAgent {
  const agent = new ScriptedAgent(folder, text, mode);
  agents.push(agent);
  return agent;
}

/** Starts an agent, and brings its files and its command to version 1. */
async function startedWith(text: string, values = { k: "1" }): Promise<ScriptedAgent> {
  const agent = start(text);
  agent.put("shop/db", 1, values);
  agent.synced();
  await agent.settled();
  for (const running of agent.running) running.end({ kind: "done" });
  await agent.settled();
  return agent;
}

describe("an agent", () => {
  it("writes the files, runs the command, and then reports that the version is in use", async () => {
    const agent = start(ONE);
    agent.put("shop/db", 7, { user: "app", password: "x" });
    await agent.settled();
    assert.deepEqual(folder.read("db"), { user: "app", password: "x" });
    assert.deepEqual(agent.reports, []);
    assert.equal(agent.running.length, 1);
    assert.deepEqual(
      agent.agent.readiness().map(({ state }) => state),
      ["not ready"],
      "the command runs",
    );
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    assert.deepEqual(agent.reports, ["shop/db 7 in-use"]);
    assert.equal(agent.status("db"), "current");
    assert.deepEqual(agent.agent.readiness(), [{ name: "db", state: "ok" }]);
  });

  // A command that overlaps with itself could apply the older state last.
  it("runs one command at a time, and the newest state wins", async () => {
    const agent = start(ONE);
    agent.put("shop/db", 1, { k: "1" });
    await agent.settled();
    for (const version of [2, 3, 4]) {
      agent.put("shop/db", version, { k: String(version) });
      await agent.settled();
      assert.equal(agent.begun, 1);
      assert.deepEqual(folder.read("db"), { k: "1" }, "the files do not change under a command that reads them");
    }
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    assert.deepEqual(folder.read("db"), { k: "4" });
    assert.equal(agent.begun, 2);
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    assert.equal(agent.begun, 2);
    assert.equal(agent.reports.at(-1), "shop/db 4 in-use");
  });

  it("repeats a command that failed, with longer and longer pauses, and says that it is not ready", async () => {
    const agent = start(ONE);
    agent.put("shop/db", 1, { k: "1" });
    await agent.settled();
    for (const pause of [1000, 2000, 4000, 8000]) {
      agent.running[0]!.end({ kind: "failed", why: "the command ended with the exit code 1" });
      await agent.settled();
      assert.deepEqual(agent.agent.readiness(), [{ name: "db", state: "not ready", why: "failing" }]);
      assert.deepEqual(agent.timers.pauses, [pause]);
      agent.timers.advance(pause);
      await agent.settled();
    }
    assert.equal(agent.begun, 5);
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    assert.equal(agent.status("db"), "current");
    assert.deepEqual(agent.timers.pauses, []);
    const { body } = await agent.metrics.expose();
    assert.match(body, /coffer_agent_failures_total\{target="db"\} 4/);
    assert.match(body, /coffer_agent_actions_total\{target="db",result="failed"\} 4/);
    assert.match(body, /coffer_agent_writes_total\{target="db"\} 1/, "the files are right, and are not written again");
  });

  it("does not wait for the end of a pause when there is a newer state", async () => {
    const agent = start(ONE);
    agent.put("shop/db", 1, { k: "1" });
    await agent.settled();
    agent.running[0]!.end({ kind: "failed", why: "x" });
    await agent.settled();
    agent.put("shop/db", 2, { k: "2" });
    await agent.settled();
    assert.equal(agent.begun, 2);
    assert.deepEqual(agent.timers.pauses, []);
  });

  // A sidecar starts before the program that it will signal. The program waits for the agent to be ready.
  it("is ready, but does not report that the version is in use, while there is no process to signal", async () => {
    const agent = start(ONE.replace("command: [reload]", "signal: HUP, process: app"));
    agent.put("shop/db", 1, { k: "1" });
    await agent.settled();
    agent.running[0]!.end({ kind: "absent", why: "no process has the name app" });
    await agent.settled();
    assert.deepEqual(agent.agent.readiness(), [{ name: "db", state: "ok" }]);
    assert.equal(agent.status("db"), "unsignalled");
    assert.deepEqual(agent.reports, []);
    agent.timers.advance(1000);
    await agent.settled();
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    assert.equal(agent.reports.at(-1), "shop/db 1 in-use");
  });

  it("reads secrets of one target together, so that a Commit reaches its files at once", async () => {
    const agent = start(BOTH);
    agent.commit({ "shop/a": [1, { k: "1" }], "shop/b": [1, { k: "1" }] });
    await agent.settled();
    assert.deepEqual(folder.read("both"), { a: "1", b: "1" });
    // The event of the first secret arrives before that of the second one.
    agent.commit({ "shop/a": [2, { k: "2" }], "shop/b": [2, { k: "2" }] });
    await agent.settled();
    assert.deepEqual(folder.read("both"), { a: "2", b: "2" });
    const { body } = await agent.metrics.expose();
    assert.match(body, /coffer_agent_writes_total\{target="both"\} 2/, "never a set with one new secret");
    assert.deepEqual(agent.reports.filter((report) => report.endsWith("in-use")).sort(), [
      "shop/a 1 in-use",
      "shop/a 2 in-use",
      "shop/b 1 in-use",
      "shop/b 2 in-use",
    ]);
  });

  it("keeps the files and stays ready if the secrets can't be read together, and tries again", async () => {
    const agent = start(BOTH);
    agent.commit({ "shop/a": [1, { k: "1" }], "shop/b": [1, { k: "1" }] });
    await agent.settled();
    agent.batchError = new ClientError("UNAVAILABLE", "no server answers");
    agent.put("shop/a", 2, { k: "2" });
    await agent.settled();
    assert.equal(agent.status("both"), "behind");
    assert.deepEqual(agent.agent.readiness(), [{ name: "both", state: "ok" }]);
    assert.deepEqual(folder.read("both"), { a: "1", b: "1" });
    agent.batchError = undefined;
    agent.timers.advance(1000);
    await agent.settled();
    assert.deepEqual(folder.read("both"), { a: "2", b: "1" });
  });

  // A set is complete or empty: a program never starts with half of its credentials.
  it("writes nothing until every secret of the target can be read", async () => {
    const agent = start(BOTH);
    agent.put("shop/a", 1, { k: "1" });
    agent.synced();
    await agent.settled();
    assert.equal(agent.status("both"), "waiting");
    assert.deepEqual(readdirSync(folder.path), []);
    agent.put("shop/b", 1, { k: "1" });
    await agent.settled();
    assert.deepEqual(folder.read("both"), { a: "1", b: "1" });
  });

  it("reports a version as in use only when every target with the secret uses it", async () => {
    const agent = start(`${ONE}  - {name: alone, file: DIR/alone, secret: shop/db, key: k}\n`);
    agent.put("shop/db", 1, { k: "1" });
    await agent.settled();
    assert.equal(agent.status("alone"), "current");
    assert.deepEqual(agent.reports, []);
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    assert.deepEqual(agent.reports, ["shop/db 1 in-use"]);
  });

  // After the store was replaced by an older copy of itself, version 2 is another version than the one in the files. It must
  // not count as used while the program uses the old one.
  it("does not report a version whose number names another version", async () => {
    const agent = start(`${ONE}  - {name: alone, file: DIR/alone, secret: shop/db, key: k}\n`);
    agent.put("shop/db", 2, { k: "old" });
    await agent.settled();
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    assert.deepEqual(agent.reports.splice(0), ["shop/db 2 in-use"]);
    agent.timers.advance(1);
    agent.put("shop/db", 2, { k: "new" });
    await agent.settled();
    agent.running[0]!.end({ kind: "failed", why: "x" });
    await agent.settled();
    assert.deepEqual(agent.reports, []);
    agent.timers.advance(1000);
    await agent.settled();
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    assert.deepEqual(agent.reports, ["shop/db 2 in-use"]);
  });

  it("fails a target whose secret lacks a key, without its values, and keeps the earlier files", async () => {
    const agent = start("targets: [{name: t, file: DIR/f, secret: shop/db, key: password}]");
    agent.put("shop/db", 1, { password: "hunter2" });
    await agent.settled();
    agent.put("shop/db", 2, { passwrd: "hunter3" });
    await agent.settled();
    assert.equal(agent.status("t"), "failing");
    assert.equal(readFileSync(join(folder.path, "f"), "utf8"), "hunter2");
    const log = agent.lines.raw.join("\n");
    assert.match(log, /"target failed","target":"t","file":".*","detail":"shop\/db has no key password"/);
    assert.doesNotMatch(log, /hunter/);
  });

  it("fails a target whose place has a file of another program, and does not change that file", async () => {
    const agent = start(ONE);
    const foreign = join(folder.path, "db");
    writeFileSync(foreign, "mine");
    agent.put("shop/db", 1, { k: "1" });
    await agent.settled();
    assert.equal(agent.status("db"), "failing");
    assert.equal(readFileSync(foreign, "utf8"), "mine");
    rmSync(foreign);
    agent.timers.advance(1000);
    await agent.settled();
    assert.deepEqual(folder.read("db"), { k: "1" });
  });

  // SIGTERM can arrive while the agent opens its listener.
  it("ends at once if it was stopped before it began", async () => {
    assert.equal(await start(ONE, "stopped").ended(), undefined);
  });

  it("ends with the error of its watch if waiting does not help", async () => {
    const agent = await startedWith(ONE);
    const error = new ClientError("INVALID_ARGUMENT", "refused");
    agent.emit(error);
    assert.equal(await agent.ended(), error);
  });
});

// The files on the disk are complete, so neither of these is a reason to leave the program with older ones.
describe("a command that has failed", () => {
  it("is run again although the secret is gone meanwhile, and the files are then kept", async () => {
    const agent = await startedWith(ONE);
    agent.put("shop/db", 2, { k: "2" });
    await agent.settled();
    agent.running[0]!.end({ kind: "failed", why: "x" });
    await agent.settled();
    agent.end("shop/db", 2, "deleted");
    await agent.settled();
    assert.equal(agent.begun, 3);
    agent.running[0]!.end({ kind: "failed", why: "x" });
    await agent.settled();
    assert.equal(agent.status("db"), "failing");
    agent.timers.advance(2000);
    await agent.settled();
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    assert.deepEqual([agent.status("db"), folder.read("db")], ["kept", { k: "2" }]);
    assert.deepEqual(agent.timers.pauses, []);
    assert.equal(agent.reports.at(-1), "shop/db 2 in-use");
  });

  it("is run again although the secrets can't be read together meanwhile", async () => {
    const agent = start(`${BOTH}    on_change: {command: [reload]}\n`);
    agent.commit({ "shop/a": [1, { k: "1" }], "shop/b": [1, { k: "1" }] });
    await agent.settled();
    agent.batchError = new ClientError("UNAVAILABLE", "no server answers");
    agent.running[0]!.end({ kind: "failed", why: "x" });
    await agent.settled();
    agent.timers.advance(1000);
    await agent.settled();
    assert.equal(agent.begun, 2);
    assert.deepEqual(agent.reports, []);
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    assert.deepEqual(agent.reports.sort(), ["shop/a 1 in-use", "shop/b 1 in-use"]);
    assert.deepEqual(agent.agent.statuses, [["both", { kind: "behind", why: "no server answers", isComplete: true }]]);
  });
});

// A version that can't be used must not count against the complete files of the one before.
describe("after a version that can't be written", () => {
  it("the files are kept if it is deleted", async () => {
    const agent = start("targets: [{name: t, file: DIR/f, secret: shop/db, key: password}]");
    agent.put("shop/db", 1, { password: "1" });
    await agent.settled();
    agent.put("shop/db", 2, { passwrd: "2" });
    await agent.settled();
    assert.equal(agent.status("t"), "failing");
    agent.end("shop/db", 2, "deleted");
    await agent.settled();
    assert.deepEqual([agent.status("t"), agent.agent.readiness()[0]?.state], ["kept", "ok"]);
    assert.equal(readFileSync(join(folder.path, "f"), "utf8"), "1");
  });
});

describe("a restarted agent", () => {
  it("neither writes files that are right, nor runs the command again", async () => {
    await (await startedWith(ONE)).stop();
    const data = readlinkSync(join(folder.path, "db/..data"));
    const agent = start(ONE);
    agent.put("shop/db", 1, { k: "1" });
    await agent.settled();
    assert.equal(agent.begun, 0);
    assert.equal(readlinkSync(join(folder.path, "db/..data")), data);
    assert.equal(agent.status("db"), "current");
    assert.equal(agent.reports.at(-1), "shop/db 1 in-use");
  });

  it("runs the command if the previous one was not over", async () => {
    const first = start(ONE);
    first.put("shop/db", 1, { k: "1" });
    await first.settled();
    assert.equal(first.begun, 1);
    // The first agent is not stopped, as if it was killed: it does nothing until its command ends.
    const agent = start(ONE);
    agent.put("shop/db", 1, { k: "1" });
    await agent.settled();
    assert.equal(agent.begun, 1);
    assert.equal(agent.status("db"), "waiting");
  });

  // A mistaken delete must not stop a program whose pod is restarted, or moved to a new version of the agent.
  it("is ready with complete files whose secret is gone, and reports no version", async () => {
    const single = "targets: [{name: db, file: DIR/f, secret: shop/db, key: k}]";
    const named = "targets: [{name: db, directory: DIR/n, files: [{file: a, secret: shop/db, key: k, mode: 0440}]}]";
    for (const text of [ONE, single, named]) {
      await (await startedWith(text)).stop();
      const agent = start(text);
      agent.disconnected();
      await agent.settled();
      assert.equal(agent.status("db"), "waiting", "nothing is known about the secret");
      agent.end("shop/db", 1, "deleted");
      agent.synced();
      await agent.settled();
      assert.deepEqual(agent.agent.readiness(), [{ name: "db", state: "ok" }], text);
      assert.equal(agent.status("db"), "kept");
      assert.deepEqual([agent.begun, agent.reports], [0, []]);
      const { body } = await agent.metrics.expose();
      assert.match(body, /^coffer_agent_target_ready\{target="db"\} 1$/m);
      assert.match(body, /^coffer_agent_target_kept\{target="db"\} 1$/m);
      assert.match(body, /^coffer_agent_writes_total\{target="db"\} 0$/m);
      agent.put("shop/db", 2, { k: "2" });
      await agent.settled();
      for (const running of agent.running) running.end({ kind: "done" });
      await agent.settled();
      assert.match((await agent.metrics.expose()).body, /^coffer_agent_target_kept\{target="db"\} 0$/m);
    }
  });

  it("waits if the files of a secret that is gone are not complete, and leaves them", async () => {
    const set = (files: string) => `targets: [{name: db, directory: DIR/n, files: [${files}]}]`;
    const a = "{file: a, secret: shop/db, key: k}";
    const b = "{file: b, secret: shop/db, key: k}";
    const before = set(`${a}, ${b}`);
    const others = [
      set(a),
      set(`${a}, ${b}, {file: c, secret: shop/db, key: k}`),
      set(`${a}, {file: c, secret: shop/db, key: k}`),
    ];
    for (const [text, status] of [
      ...others.map((other) => [other, "waiting"] as const),
      [before.replace("key: k}", "key: k, mode: 0440}"), "waiting"],
      [ONE, "waiting"],
      // The control.
      [before, "kept"],
    ] as const) {
      await (await startedWith(before)).stop();
      const agent = start(text);
      agent.synced();
      await agent.settled();
      assert.equal(agent.status("db"), status, text);
      assert.deepEqual(folder.read("n"), { a: "1", b: "1" });
      await agent.stop();
    }
  });

  // The agent was killed after the rename, before it linked the names and before its command ended.
  it("completes the files of a secret that is gone, and runs the command that did not end", async () => {
    const first = start(ONE);
    first.put("shop/db", 1, { k: "1" });
    await first.settled();
    assert.equal(first.begun, 1);
    rmSync(join(folder.path, "db/k"));
    const agent = start(ONE);
    agent.synced();
    await agent.settled();
    assert.deepEqual(folder.read("db"), { k: "1" });
    assert.deepEqual([agent.begun, agent.status("db")], [1, "waiting"]);
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    assert.equal(agent.status("db"), "kept");
  });

  it("leaves nothing about the values on the disk", async () => {
    await (await startedWith(ONE, { k: "hunter2" })).stop();
    const names = readdirSync(join(folder.path, "db")).filter((name) => !/^\.\.\d/.test(name));
    assert.deepEqual(names.sort(), ["..data", "k"]);
  });
});

describe("a secret that is gone", () => {
  const REMOVE = `${ONE}    when_gone: remove\n`;

  for (const state of ["deleted", "destroyed", "expired"] as const) {
    it(`keeps its files by default when it is ${state}`, async () => {
      const agent = await startedWith(ONE);
      agent.end("shop/db", 1, state);
      await agent.settled();
      assert.deepEqual(folder.read("db"), { k: "1" });
      assert.equal(agent.status("db"), "kept");
      assert.deepEqual(agent.agent.readiness(), [{ name: "db", state: "ok" }]);
      assert.equal(agent.begun, 1);
    });

    it(`loses its files with when_gone: remove when it is ${state}, and the command runs`, async () => {
      const agent = await startedWith(REMOVE);
      agent.end("shop/db", 1, state);
      await agent.settled();
      assert.deepEqual(folder.read("db"), {});
      assert.equal(agent.begun, 2);
      agent.running[0]!.end({ kind: "done" });
      await agent.settled();
      assert.deepEqual(agent.agent.readiness(), [{ name: "db", state: "not ready", why: "removed" }]);
      agent.put("shop/db", 2, { k: "2" });
      await agent.settled();
      assert.deepEqual(folder.read("db"), { k: "2" });
    });
  }

  for (const reason of ["purged", "revoked", "vanished"] as const) {
    it(`loses its files with when_gone: remove when it is ${reason}, and keeps them otherwise`, async () => {
      for (const [text, found] of [
        [REMOVE, {}],
        [ONE, { k: "1" }],
      ] as const) {
        const agent = await startedWith(text);
        agent.emit({ kind: "gone", path: "shop/db", reason });
        await agent.settled();
        assert.deepEqual(folder.read("db"), found);
        for (const running of agent.running) running.end({ kind: "done" });
        await agent.stop();
        folder.remove();
      }
    });
  }

  // The secret may have disappeared while no agent ran. Only a complete snapshot shows this.
  it("loses the files of an earlier process only when the snapshot is complete", async () => {
    await (await startedWith(REMOVE)).stop();
    const agent = start(REMOVE);
    agent.disconnected();
    await agent.settled();
    assert.deepEqual(folder.read("db"), { k: "1" });
    agent.synced();
    await agent.settled();
    assert.deepEqual(folder.read("db"), {});
  });

  // The server may be unreachable then.
  it("expires by the agent's clock", async () => {
    const agent = start(REMOVE);
    agent.put("shop/db", 1, { k: "1" }, BEGIN + 40 * 24 * HOUR);
    await agent.settled();
    agent.running[0]!.end({ kind: "done" });
    await agent.settled();
    agent.timers.advance(40 * 24 * HOUR - 1);
    await agent.settled();
    assert.deepEqual(folder.read("db"), { k: "1" });
    agent.timers.advance(1);
    await agent.settled();
    assert.deepEqual(folder.read("db"), {});
  });
});

describe("an outage", () => {
  const LIMITED = `${ONE}    remove_after_outage: 1h\n`;

  it("changes nothing by default, however long it is", async () => {
    const agent = await startedWith(ONE);
    agent.disconnected();
    await agent.settled();
    agent.timers.advance(1000 * HOUR);
    await agent.settled();
    assert.deepEqual(folder.read("db"), { k: "1" });
    assert.deepEqual(agent.agent.readiness(), [{ name: "db", state: "ok" }]);
    const { body } = await agent.metrics.expose();
    assert.match(body, /^coffer_agent_connected 0$/m);
    assert.match(body, new RegExp(`^coffer_agent_last_contact_seconds ${BEGIN / 1000}$`, "m"));
  });

  it("removes the files after remove_after_outage, and the next contact writes them again", async () => {
    const agent = await startedWith(LIMITED);
    agent.disconnected("first");
    await agent.settled();
    agent.timers.advance(HOUR / 2);
    // A further failure does not begin the time again.
    agent.disconnected("second");
    await agent.settled();
    agent.timers.advance(HOUR / 2 - 1);
    await agent.settled();
    assert.deepEqual(folder.read("db"), { k: "1" });
    agent.timers.advance(2);
    await agent.settled();
    assert.deepEqual(folder.read("db"), {});
    agent.running[0]!.end({ kind: "done" });
    agent.synced();
    await agent.settled();
    assert.deepEqual(folder.read("db"), { k: "1" });
  });

  it("does not count the time before a reconnect", async () => {
    const agent = await startedWith(LIMITED);
    for (let i = 0; i < 3; i++) {
      agent.disconnected();
      await agent.settled();
      agent.timers.advance(HOUR - 1);
      await agent.settled();
      agent.synced();
      await agent.settled();
    }
    agent.timers.advance(10 * HOUR);
    await agent.settled();
    assert.deepEqual(folder.read("db"), { k: "1" });
    assert.equal(agent.begun, 1);
  });

  // Timers and the monotonic time stand still while the machine is suspended. The clock does not.
  it("includes the time in which the machine is suspended, also if it begins then", async () => {
    for (const isConnected of [true, false]) {
      const agent = await startedWith(LIMITED);
      if (!isConnected) agent.disconnected();
      await agent.settled();
      for (const [suspendedMs, found] of [
        [HOUR - 1, { k: "1" }],
        [HOUR, {}],
      ] as const) {
        agent.timers.setClock(BEGIN + suspendedMs);
        await agent.settled();
        // The next attempt to connect fails.
        agent.disconnected("after the suspension");
        await agent.settled();
        assert.deepEqual(folder.read("db"), found, `${isConnected} ${suspendedMs}`);
      }
      agent.running[0]!.end({ kind: "done" });
      await agent.stop();
    }
  });

  it("ends in the removal of files at the same time if the clock is set back during it", async () => {
    const agent = await startedWith(LIMITED);
    agent.disconnected();
    await agent.settled();
    agent.timers.setClock(BEGIN - 10 * HOUR);
    agent.timers.advance(HOUR - 1);
    await agent.settled();
    assert.deepEqual(folder.read("db"), { k: "1" });
    agent.timers.advance(1);
    await agent.settled();
    assert.deepEqual(folder.read("db"), {});
  });

  // The files of an earlier process may be from before the outage.
  it("begins with the agent", async () => {
    await (await startedWith(LIMITED)).stop();
    const agent = start(LIMITED);
    agent.disconnected();
    await agent.settled();
    agent.timers.advance(HOUR + 1);
    await agent.settled();
    assert.deepEqual(folder.read("db"), {});
  });
});

describe("an agent that runs once", () => {
  // Its time can be over before the server has sent anything.
  it("names what is missing from the beginning", () => {
    const both = start(BOTH, "once");
    const why = both.agent.statuses.map(([, status]) => status.kind === "waiting" && status.why);
    assert.deepEqual(why, ["shop/a: not received yet, shop/b: not received yet"]);
  });

  it("is complete when every target is, runs no command, and leaves no mark for one", async () => {
    const agent = start(`${ONE}  - {name: late, file: DIR/late, secret: shop/late, key: k}\n`, "once");
    let isComplete = false;
    void agent.agent.complete.then(() => {
      isComplete = true;
    });
    agent.put("shop/db", 1, { k: "1" });
    agent.synced();
    await agent.settled();
    assert.equal(isComplete, false);
    assert.deepEqual(
      agent.agent.statuses.map(([name, { kind }]) => `${name} ${kind}`),
      ["db current", "late waiting"],
    );
    agent.put("shop/late", 1, { k: "2" });
    await agent.settled();
    assert.equal(isComplete, true);
    assert.equal(agent.begun, 0);
    assert.deepEqual(readdirSync(folder.path).sort(), ["db", "late"]);
    assert.ok(!readdirSync(join(folder.path, "db")).includes("..pending"));
    // The files are there, but nothing uses them yet.
    assert.deepEqual(agent.reports, []);
    await agent.stop();
    // The agent that then runs in a sidecar finds the files, and has nothing to do.
    const next = start(ONE);
    next.put("shop/db", 1, { k: "1" });
    await next.settled();
    assert.equal(next.begun, 0);
    assert.equal(next.status("db"), "current");
  });
});
