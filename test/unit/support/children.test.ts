import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../../support/cli-kit.ts";

const CANCELLED = fileURLToPath(new URL("../../support/cancelled.js", import.meta.url));

// A cancelled test does not reach its clean-up. Its server would block the end of the file, and survive it.
it("a child of a cancelled test ends with its file", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-children-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "pid");
  const { code, stdout } = await runToEnd(process.execPath, ["--test", CANCELLED], { env: { PID_FILE: file } });
  assert.equal(code, 1);
  assert.match(stdout.toString(), /test timed out after 1ms/);
  // Signal 0 would also find a zombie that has not been waited for yet.
  const status = () => readFileSync(`/proc/${readFileSync(file, "utf8")}/stat`, "latin1");
  assert.throws(status, { code: "ENOENT" });
});
