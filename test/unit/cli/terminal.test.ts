import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { promptNewSecret } from "../../../src/cli/terminal.ts";

/**
 * A terminal that answers each prompt with the next of `answers`, or with the last one again. Each string of an answer
 * arrives as one chunk.
 */
function typing(...answers: (readonly string[])[]) {
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (raw: boolean) => modes.push(raw) });
  const stderr = new PassThrough();
  let shown = "";
  stderr.on("data", (chunk) => {
    shown += chunk;
    if (!shown.endsWith(": ")) return;
    assert.deepEqual(modes, [true], "echo is off before the prompt is shown");
    const keys = answers.length > 1 ? answers.shift() : answers[0];
    for (const key of keys ?? []) stdin.write(key);
  });
  return { stdin, stdout: new PassThrough(), stderr, modes, shown: () => shown };
}

describe("a prompt", () => {
  // The value is the typed text without erased characters and without the line break.
  for (const [name, keys, expected] of [
    ["a line", ["s3cret\r"], "s3cret"],
    ["single keys", ["a", "b", "\n"], "ab"],
    ["backspace", ["ab\x7fc\x08d\r"], "ad"],
    ["backspace over a character of several bytes", ["aü\x7f€\x7f😀\x7fb\r"], "ab"],
    ["backspace on an empty line", ["\x7f\x7fa\r"], "a"],
    ["Ctrl-U", ["wrong\x15right\r"], "right"],
    ["Ctrl-D", ["a\x04"], "a"],
    ["blanks", [" a \r"], " a "],
  ] as const) {
    it(`takes ${name}`, async () => {
      const terminal = typing(keys);
      assert.equal((await promptNewSecret("password", terminal)).toString(), expected);
      assert.deepEqual(terminal.modes, [true, false]);
    });
  }

  // Only the prompt and a line break are printed, and standard output stays empty.
  it("does not show what is typed", async () => {
    const terminal = typing(["s3cret\r"]);
    await promptNewSecret("password", terminal);
    assert.equal(terminal.shown(), "password: \npassword, again: \n");
    assert.equal(terminal.stdout.read(), null);
  });

  it("ends at Ctrl-C, and restores the terminal", async () => {
    const terminal = typing(["s3c\x03"]);
    await assert.rejects(promptNewSecret("password", terminal), { name: "ExitStatus", status: 130 });
    assert.deepEqual(terminal.modes, [true, false]);
  });

  // A value that is not shown is typed twice, so that a typing error does not become the secret.
  it("asks for a new secret twice", async () => {
    const same = typing(["s3cret\r"]);
    assert.equal((await promptNewSecret("password", same)).toString(), "s3cret");
    assert.equal(same.shown(), "password: \npassword, again: \n");
    const other = typing(["s3cret\r"], ["s3cert\r"]);
    await assert.rejects(promptNewSecret("password", other), {
      name: "CommandFailed",
      message: "the two values for password differ; nothing was changed",
    });
  });

  // The caller refuses an empty answer, so it is asked for only once.
  it("asks once if the answer is empty", async () => {
    const terminal = typing(["\r"]);
    assert.equal((await promptNewSecret("password", terminal)).length, 0);
    assert.equal(terminal.shown(), "password: \n");
  });
});
