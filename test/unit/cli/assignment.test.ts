import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { describe, it } from "node:test";
import { parseAssignments, readEntries } from "../../../src/cli/assignment.ts";
import { CommandFailed } from "../../../src/cli/command-failed.ts";

const failure = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CommandFailed);
  assert.equal(error.outcome, "usage");
  assert.match(error.message, message);
  return true;
};

describe("assignments", () => {
  it("name the source of each value", () => {
    assert.deepEqual(
      parseAssignments(["a=@f", "b=-", "c=?", "d=v", "e=", "f=x=y", "g=--", "h= @f", "i:=@f", "j:=?", "k:="]),
      [
        { key: "a", source: { kind: "file", file: "f" } },
        { key: "b", source: { kind: "stdin" } },
        { key: "c", source: { kind: "prompt" } },
        { key: "d", source: { kind: "literal", text: "v" } },
        { key: "e", source: { kind: "literal", text: "" } },
        { key: "f", source: { kind: "literal", text: "x=y" } },
        { key: "g", source: { kind: "literal", text: "--" } },
        { key: "h", source: { kind: "literal", text: " @f" } },
        // key:=value takes a value literally that otherwise would name a source.
        { key: "i", source: { kind: "literal", text: "@f" } },
        { key: "j", source: { kind: "literal", text: "?" } },
        { key: "k", source: { kind: "literal", text: "" } },
      ],
    );
  });

  // If the key was forgotten, the argument is the secret itself, so the message must not contain it.
  it("are refused with all problems together, and without showing a possible secret", () => {
    const check = (error: unknown) => {
      assert.ok(error instanceof CommandFailed);
      assert.doesNotMatch(error.message, /hunter2|other/);
      return failure(/invalid argument 1: .*\ninvalid argument 2: .*\nonly one value .*\nduplicate key a/)(error);
    };
    assert.throws(() => parseAssignments(["hunter2", "=other", "a=-", "b=-", "a=x"]), check);
  });
});

describe("values", () => {
  const terminal = (stdin: Readable) => ({ stdin, stdout: new PassThrough(), stderr: new PassThrough() });

  // Bytes are not changed, and only values that are not UTF-8 are binary.
  it("are read without changes", async () => {
    const folder = mkdtempSync(join(tmpdir(), "coffer-cli-"));
    try {
      const file = join(folder, "value");
      writeFileSync(file, Buffer.from([0xff, 0x0a]));
      const assignments = parseAssignments([`a=@${file}`, "b=-", "c=ü"]);
      const entries = await readEntries(assignments, terminal(Readable.from([Buffer.from("x\r"), Buffer.from("\n")])));
      assert.deepEqual(entries, [
        { key: "a", kind: "binary", value: Buffer.from([0xff, 0x0a]) },
        { key: "b", kind: "text", value: Buffer.from("x\r\n") },
        { key: "c", kind: "text", value: Buffer.from("ü") },
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  // A bare Enter at a prompt, an empty pipe and an empty file would each make an empty secret the latest version.
  it("must not be empty without --allow-empty", async () => {
    const folder = mkdtempSync(join(tmpdir(), "coffer-cli-"));
    try {
      const empty = join(folder, "empty");
      writeFileSync(empty, "");
      const enter = () => Object.assign(Readable.from([Buffer.from("\r")]), { isTTY: true });
      for (const [text, stdin] of [
        ["k=", () => Readable.from([])],
        ["k=-", () => Readable.from([])],
        [`k=@${empty}`, () => Readable.from([])],
        ["k=?", enter],
      ] as const) {
        const assignments = parseAssignments([text]);
        await assert.rejects(
          readEntries(assignments, terminal(stdin())),
          failure(/^the value of k is empty; use --allow-/),
        );
        const [entry] = await readEntries(assignments, terminal(stdin()), { allowEmpty: true });
        assert.equal(entry?.value.length, 0);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  // Node's own message would be "ENOENT: no such file or directory, open 'missing'".
  it("that can't be read are reported with the file and the reason", async () => {
    for (const [file, why] of [
      ["/nowhere/missing", "does not exist"],
      [tmpdir(), "is a folder"],
    ] as const) {
      const reading = readEntries(parseAssignments([`tls.key=@${file}`]), terminal(Readable.from([])));
      await assert.rejects(reading, failure(new RegExp(`^can't read the value of tls\\.key: ${file} ${why}$`)));
    }
  });

  // Reading an endless standard input fails before memory is full.
  it("have a maximum size", async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(64 * 1024);
      })(),
    );
    const reading = readEntries(parseAssignments(["a=-"]), terminal(endless));
    await assert.rejects(reading, failure(/standard input is larger than 3145728 bytes/));
  });

  it("are prompted for only on a terminal", async () => {
    const reading = readEntries(parseAssignments(["a=?"]), terminal(Readable.from([])));
    await assert.rejects(reading, failure(/needs a terminal/));
  });
});
