import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { watchDirectory } from "../../../src/files/directory-watch.ts";

const folder = mkdtempSync(join(tmpdir(), "coffer-watch-"));
after(() => rmSync(folder, { recursive: true }));

/** Resolves at the first event after `change`. The interval keeps the process running, which a watch does not. */
async function event(change: () => void): Promise<void> {
  const alive = setInterval(() => {}, 1000);
  let stop = () => {};
  await new Promise<void>((resolve) => {
    stop = watchDirectory(folder, resolve);
    change();
  });
  stop();
  clearInterval(alive);
}

describe("watchDirectory", () => {
  it("reports files that are created, rewritten and renamed", async () => {
    const file = join(folder, "svid.pem");
    await event(() => writeFileSync(file, "one"));
    await event(() => writeFileSync(file, "two"));
    await event(() => renameSync(file, join(folder, "..data")));
  });

  // Callers also poll, so a watch that fails only delays the detection of a change.
  it("reports nothing and does not throw for a directory that can't be watched", () => {
    const stop = watchDirectory(join(folder, "absent"), () => assert.fail());
    stop();
  });
});
