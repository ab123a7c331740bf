import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { it } from "node:test";
import { ofThisFile } from "./children.ts";

// A test file for children.test.ts: its only test is cancelled while a child process still runs. The open pipe to the
// child keeps the process of this file alive.
it("is cancelled", { timeout: 1 }, async () => {
  const child = ofThisFile(spawn("sleep", ["100000"], { stdio: ["ignore", "pipe", "inherit"] }));
  writeFileSync(process.env["PID_FILE"] ?? "", String(child.pid));
  await new Promise(() => {});
});
