import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { runToEnd } from "../support/cli-kit.ts";

describe("scripts/links.mjs", () => {
  /** A git repository with nothing in it. */
  let repository: string;
  beforeEach(() => {
    repository = mkdtempSync(join(tmpdir(), "coffer-links-"));
    execFileSync("git", ["init", "--quiet", repository]);
  });
  afterEach(() => rmSync(repository, { recursive: true }));

  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(repository, path)), { recursive: true });
    writeFileSync(join(repository, path), text);
  };

  /** What the check prints about broken links, one line each, and its exit code. */
  const check = async () => {
    const { code, stderr } = await runToEnd(process.execPath, [resolve("scripts/links.mjs"), repository], {});
    return { code, problems: stderr.split("\n").filter((line) => line !== "") };
  };

  // The positive control: every form of link and anchor, with targets that exist.
  it("accepts links to files, folders, headings and ids that exist, and ignores links to other sites", async () => {
    write(
      "docs/page.md",
      "# Two words, `code`!\n## Again\n## Again\n### [Linked](x.ts) title\n<a id='x' name=\"by-hand\"></a>\n",
    );
    write("docs/x.ts", "");
    write(
      "README.md",
      [
        "[a](docs/page.md) [b](docs/) [c](./docs/page.md#two-words-code) [d](/docs/x.ts) [e](#top)",
        "[f](docs/page.md#again) [g](docs/page.md#again-1) [h](docs/page.md#linked-title) [i](docs/page.md#by-hand)",
        '[j](https://example.org/gone.md) [k](mailto:a@example.org) ![l](<docs/x.ts> "title") [m][name]',
        '[name]: docs/x.ts#L3\n<a href="docs/x.ts">n</a>',
        "# Top",
      ].join("\n"),
    );
    assert.deepEqual(await check(), { code: 0, problems: [] });
  });

  // The forms of the test above, each with a target that does not exist.
  it("reports each broken link with its page and its line", async () => {
    write("docs/page.md", "# Here\n");
    write(
      "docs/index.md",
      '[a](gone.md)\n[b](page.md#gone)\n\n![c](gone.png)\n[d]: gone.ts\n<a href="/docs/gone.md">e</a>\n[f](../../page.md)\n',
    );
    assert.deepEqual(await check(), {
      code: 1,
      problems: [
        "docs/index.md:1: broken link gone.md: docs/gone.md does not exist",
        "docs/index.md:2: broken link page.md#gone: docs/page.md has no heading for #gone",
        "docs/index.md:4: broken link gone.png: docs/gone.png does not exist",
        "docs/index.md:5: broken link gone.ts: docs/gone.ts does not exist",
        "docs/index.md:6: broken link /docs/gone.md: docs/gone.md does not exist",
        "docs/index.md:7: broken link ../../page.md: ../page.md does not exist",
      ],
    });
  });

  // An ignored file exists only in the clone of its author.
  it("reports a link to a file that git ignores", async () => {
    write(".gitignore", "/kept\n");
    write("kept/key.md", "# Key\n");
    write("README.md", "[a](kept/key.md)\n");
    assert.deepEqual(await check(), {
      code: 1,
      problems: ["README.md:1: broken link kept/key.md: kept/key.md does not exist"],
    });
  });

  // Examples of Markdown and comments of shell scripts are code.
  it("ignores links and headings in code and in comments", async () => {
    write(
      "README.md",
      "`[a](gone.md)`\n\n```sh\n# no heading\n[b](gone.md)\n```\n\n<!-- [c](gone.md) -->\n[d](#no-heading)\n",
    );
    assert.deepEqual(await check(), {
      code: 1,
      problems: ["README.md:9: broken link #no-heading: README.md has no heading for #no-heading"],
    });
  });
});
