import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path/posix";
import { describe, it } from "node:test";
import { page, table } from "../../support/pages.ts";

const architecture = page("docs/architecture.md");

function unquoted(text: string): string {
  return text.replaceAll("`", "");
}

describe("docs/architecture.md", () => {
  it("lists every decision in order, with its title", () => {
    const listed = [...architecture.text.matchAll(/^\d+\. \[(.*)\]\(decisions\/(.*)\)$/gm)];
    const files = readdirSync("docs/decisions").sort();
    assert.deepEqual(
      listed.map(([, , file]) => file),
      files,
    );
    for (const [, title, file] of listed) {
      const number = basename(file!).slice(0, 4);
      assert.equal(page(join("docs/decisions", file!)).text.split("\n")[0], `# ${number}: ${title}`);
    }
  });
});

describe("the decisions", () => {
  it("have a date, a context, a decision and consequences", () => {
    for (const file of readdirSync("docs/decisions")) {
      const { text } = page(join("docs/decisions", file));
      assert.match(text, /^# \d{4}: .+\n\n\d{4}-\d\d-\d\d, accepted/, file);
      const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading!);
      const wanted = ["Context", "Decision", "Consequences"];
      assert.deepEqual(
        headings.filter((heading) => wanted.includes(heading)),
        wanted,
        file,
      );
    }
  });

  it("give a reason for each dependency, and for no others", () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync("package.json", "utf8")) as Packages;
    const rows = table(page("docs/decisions/0008-dependencies.md"), "Package", "Why", "What would replace it");
    assert.deepEqual(
      rows.map((row) => unquoted(row["Package"]!)).sort(),
      [...Object.keys(dependencies), ...Object.keys(devDependencies)].sort(),
    );
  });
});

interface Packages {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
