import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { CommandFailed } from "../../../src/cli/command-failed.ts";
import { promptSecret } from "../../../src/cli/terminal.ts";

/** A terminal on which `keys` are typed, each in a chunk of its own. */
function typing(keys: readonly string[]) {
  const modes: boolean[] = [];
  const setRawMode = (raw: boolean) => {
    modes.push(raw);
    if (raw) for (const key of keys) stdin.write(key);
  };
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode });
  return { stdin, stdout: new PassThrough(), stderr: new PassThrough(), modes };
}

describe("a prompt", () => {
  // What was typed is the value: erased characters are gone whole, and the line break is not part of it.
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
      assert.equal((await promptSecret("password: ", terminal)).toString(), expected);
      assert.deepEqual(terminal.modes, [true, false]);
    });
  }

  // The question and a line break are all that is printed, and standard output stays empty.
  it("shows nothing of what is typed", async () => {
    const terminal = typing(["s3cret\r"]);
    await promptSecret("password: ", terminal);
    assert.equal(terminal.stderr.read().toString(), "password: \n");
    assert.equal(terminal.stdout.read(), null);
  });

  it("is left by Ctrl-C, with the terminal as it was", async () => {
    const terminal = typing(["s3c\x03"]);
    await assert.rejects(promptSecret("password: ", terminal), CommandFailed);
    assert.deepEqual(terminal.modes, [true, false]);
  });
});
