import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { confirm } from "../../../src/cli/confirmation.ts";

/** A terminal that answers the first question with `keys`; without `keys`, standard input is not a terminal. */
function terminal(keys: string | undefined, isErrorTerminal = true) {
  const stdin = Object.assign(new PassThrough(), { isTTY: keys !== undefined, setRawMode: () => {} });
  const stderr = Object.assign(new PassThrough(), { isTTY: isErrorTerminal });
  let shown = "";
  let rest = keys ?? "";
  stderr.on("data", (chunk) => {
    shown += chunk;
    if (!shown.includes("[y/N] ")) return;
    // The terminal echoes the answer, so this is called again.
    stdin.write(rest);
    rest = "";
  });
  return { stdin, stdout: new PassThrough(), stderr, shown: () => shown };
}

const declined = { name: "CommandFailed", outcome: "other", message: "not confirmed; nothing was changed" };

describe("a confirmation", () => {
  for (const keys of ["y\r", "yes\r", "Y\r", " YES \r"]) {
    it(`accepts ${JSON.stringify(keys)}`, async () => {
      const asked = terminal(keys);
      await confirm("purge a/b", {}, asked);
      assert.match(asked.shown(), /Do you want to purge a\/b\? This can't be undone\. \[y\/N\] /);
    });
  }

  // Enter alone is a no.
  for (const keys of ["\r", "n\r", "no\r", "yess\r", "j\r", "\u0004"]) {
    it(`takes ${JSON.stringify(keys)} as a no`, async () => {
      await assert.rejects(confirm("purge a/b", {}, terminal(keys)), declined);
    });
  }

  it("ends at Ctrl-C", async () => {
    await assert.rejects(confirm("purge a/b", {}, terminal("\u0003")), { name: "ExitStatus", status: 130 });
  });

  it("does not ask with --yes, with or without a terminal", async () => {
    for (const asked of [terminal("n\r"), terminal(undefined)]) {
      await confirm("purge a/b", { yes: true }, asked);
      assert.equal(asked.shown(), "");
    }
  });

  // Standard input may be a file that begins with y, and a question that goes to a log is not seen.
  it("is refused without a terminal, and asks nothing", async () => {
    for (const asked of [terminal(undefined), terminal("y\r", false)]) {
      await assert.rejects(confirm("purge a/b", {}, asked), {
        name: "CommandFailed",
        outcome: "usage",
        message: "to purge a/b, which can't be undone, use --yes; nothing was changed",
      });
      assert.equal(asked.shown(), "");
    }
  });

  it("can't move a terminal's cursor", async () => {
    const asked = terminal("y\r");
    await confirm("purge \u001b[2J", {}, asked);
    assert.match(asked.shown(), /purge \\u001b\[2J\?/);
  });
});
