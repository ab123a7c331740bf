import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../../support/cli-kit.ts";

const CANCELLED = fileURLToPath(new URL("../../support/cancelled.js", import.meta.url));

// A cancelled test does not run its clean-up. Without ofThisFile, a child process that it started would keep the
// process of the test file from ending, and would still run after that process was killed.
it("a child process of a cancelled test is killed when its test file ends", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-children-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "pid");
  const { code, stdout } = await runToEnd(process.execPath, ["--test", CANCELLED], { env: { PID_FILE: file } });
  assert.equal(code, 1);
  assert.match(stdout.toString(), /test timed out after 1ms/);
  // A process that runs, or that is a zombie, has this file.
  const status = () => readFileSync(`/proc/${readFileSync(file, "utf8")}/stat`, "latin1");
  assert.throws(status, { code: "ENOENT" });
});
