import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { page } from "../../support/pages.ts";

const { path, text } = page("docs/clients.md");

/** A block of code with the comment above it, which names a file, or a region of a file. */
const BLOCK = /(?:^<!-- (\S+?)(?:#(\S+))? -->\n\n)?^```(\w+)\n(.*?)^```$/gms;

/** Commands, which test/examples runs. */
const COMMANDS = ["sh"];

const blocks = [...text.matchAll(BLOCK)].map(([, file, region, language, code]) => ({
  file,
  region,
  language: language!,
  code: code!,
}));

/** What a file has between `#region` and `#endregion`, without the indentation of all its lines. */
function regionOf(file: string, name: string): string {
  const lines = readFileSync(file, "utf8").split("\n");
  const start = lines.findIndex((line) => line.endsWith(`#region ${name}`));
  const end = lines.findIndex((line, i) => i > start && line.endsWith("#endregion"));
  assert.ok(start !== -1 && end !== -1, `${file} has no region ${name}`);
  const body = lines.slice(start + 1, end);
  const indents = body.filter((line) => line.trim() !== "").map((line) => /^[ \t]*/.exec(line)![0].length);
  const margin = Math.min(...indents);
  return `${body
    .map((line) => line.slice(margin))
    .join("\n")
    .trim()}\n`;
}

describe(path, () => {
  // Tests run the examples. Code that the page copies from them was therefore run too.
  it("shows nothing but what is in the examples", () => {
    const code = blocks.filter(({ language }) => !COMMANDS.includes(language));
    assert.ok(code.length >= 15, `${code.length} blocks`);
    for (const { file, region, language, code: shown } of code) {
      assert.ok(file !== undefined, `a block of ${language} names no file:\n${shown}`);
      assert.equal(
        shown,
        region === undefined ? readFileSync(file, "utf8") : regionOf(file, region),
        `${file}#${region}`,
      );
    }
  });

  // A region marks code for the page, so a region that the page does not show was forgotten.
  it("shows every region of the examples", () => {
    const files = [...new Set(blocks.flatMap(({ file }) => file ?? []))];
    for (const file of files) {
      const named = [...readFileSync(file, "utf8").matchAll(/#region (\S+)$/gm)].map(([, name]) => name);
      const shown = blocks.filter((block) => block.file === file).map(({ region }) => region);
      assert.deepEqual(new Set(shown.filter((name) => name !== undefined)), new Set(named), file);
    }
  });
});
