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

// A shell reads the quoted word as the original text, whatever the text contains. Ordinary file names are not quoted,
// so that messages stay readable.
describe("shellWord", () => {
  for (const [text, word] of rows) {
    it(`returns ${JSON.stringify(word)} for ${JSON.stringify(text)}`, () => {
      assert.equal(shellWord(text), word);
      assert.equal(execFileSync("sh", ["-c", `printf %s ${word}`], { encoding: "utf8" }), text);
    });
  }
});
