import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { SignalRelay } from "../../../src/cli/run/signal-relay.ts";
import { runForChanges, type WatchTask } from "../../../src/cli/watch/watch-session.ts";
import { BROKEN, ScriptedWatches, live } from "../../support/scripted-watches.ts";

describe("coffer watch --exec", () => {
  // The program exits when this ends, so a command that runs would continue without it, and others would never run.
  it("ends after the commands for the changes that it has received, also when the watch has failed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "coffer-watch-"));
    const file = join(folder, "ran");
    try {
      const watches = new ScriptedWatches();
      const client = { watch: (options: WatchTask["options"]) => watches.begin(options) };
      const world = { env: process.env, stderr: process.stderr };
      const task = { client, options: { prefixes: [""] }, once: true, world } as unknown as WatchTask;
      const relay = new SignalRelay({ on: () => {}, isInForeground: () => false });
      const session = runForChanges(task, `sleep 0.1; echo $COFFER_PATH >> ${file}`, relay);
      (await watches.stream()).send(live("a", 1, 1), live("b", 1, 2)).fail(BROKEN);
      await assert.rejects(session, BROKEN);
      assert.equal(readFileSync(file, "utf8"), "a\nb\n");
      assert.equal(watches.ended, 1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
