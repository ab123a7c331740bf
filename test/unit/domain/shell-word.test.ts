import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { shellWord } from "../../../src/domain/shell-word.ts";

const rows: [text: string, word: string][] = [
  ["/var/lib/coffer-1/root_key.pem", "/var/lib/coffer-1/root_key.pem"],
  ["", "''"],
  ["my file", "'my file'"],
  ["it's", String.raw`'it'\''s'`],
  ["'", String.raw`''\'''`],
  ["$(id); `id` && \\ | > * ~", "'$(id); `id` && \\ | > * ~'"],
  ["a\nb", "'a\nb'"],
  ["end\n", "'end\n'"],
  ["ürsula", "'ürsula'"],
];

// A shell gives back the text, whatever is in it. Ordinary names stay as they are, for people to read.
describe("a word for the shell", () => {
  for (const [text, word] of rows) {
    it(`is ${JSON.stringify(word)} for ${JSON.stringify(text)}`, () => {
      assert.equal(shellWord(text), word);
      assert.equal(execFileSync("sh", ["-c", `printf %s ${word}`], { encoding: "utf8" }), text);
    });
  }
});
