import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SignalRelay } from "../../../src/cli/run/signal-relay.ts";
import { type WatchedRun, runWatched } from "../../../src/cli/run/watched-run.ts";
import { ReportState } from "../../../src/contract/messages.ts";
import { Content } from "../../../src/domain/content.ts";
import type { World } from "../../../src/process/world.ts";
import { ScriptedWatches, live, secret, synced, turns } from "../../support/scripted-watches.ts";
import { until } from "../../support/until.ts";

describe("coffer run --watch", () => {
  // A version that was only received would count as used, and could release a destroy of the one that the command has.
  it("reports the version of the command, and none that has only arrived", async () => {
    const watches = new ScriptedWatches();
    const listeners = new Map<string, () => void>();
    const relay = new SignalRelay({
      on: (signal, listener) => listeners.set(signal, listener),
      isInForeground: () => false,
    });
    const content = Content.unchecked([{ key: "K", kind: "text", value: Buffer.from("1") }]);
    const run = {
      client: { watch: (options: Parameters<ScriptedWatches["begin"]>[0]) => watches.begin(options) },
      secrets: [{ source: { kind: "secret", path: "a" }, secret: { path: "a", version: 1, content } }],
      program: process.execPath,
      arguments: ["-e", "setInterval(() => {}, 1000)"],
      reaction: { kind: "restart" },
      instance: "one",
    } as unknown as WatchedRun;
    const world = { env: {}, stderr: process.stderr } as unknown as World;
    const ended = runWatched(run, relay, world);
    const stream = await watches.stream();
    stream.send(live("a", 1, 1), synced(1));
    await until("the version in use is reported", () => watches.reports.length > 0);
    // With the purge, the report of the version in use ends. The command is restarted after its interval.
    stream.send(secret({ path: "a", version: 1, purged: true }, 2), live("a", 2, 3));
    await turns();
    listeners.get("SIGTERM")?.();
    assert.equal((await ended).status, 143);
    assert.deepEqual(
      watches.reports.map(({ path, version, state }) => [path, version, state]),
      [["a", 1, ReportState.inUse]],
    );
  });
});
