import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { prepareDevelopment } from "../../../src/app/prepare-development.ts";
import { readRunningConfig } from "../../../src/config/read-serve-config.ts";
import { devSession } from "../../../src/cli/dev-session.ts";
import { systemClock } from "../../../src/domain/timers.ts";
import { codeBlocks, page, table } from "../../support/pages.ts";

const readme = page("README.md");
const cli = page("docs/cli.md");
const pasted = [...shellLines(readme.text), ...codeBlocks(cli, "grpcurl and buf curl", "sh").flatMap(linesOf)];

describe("the README", () => {
  // The README introduces the project; details belong to the pages in docs/.
  it("has fewer than 1,200 words", () => {
    const words = readme.text.trim().split(/\s+/).length;
    assert.ok(words > 500, String(words));
    assert.ok(words < 1200, String(words));
  });

  it("has the sections of a project's first page", () => {
    const sections = [...readme.text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading!);
    for (const wanted of ["Comparison", "Quick start", "Usage", "Guarantees", "Benchmarks"]) {
      assert.ok(sections.includes(wanted), wanted);
    }
  });

  // A new measurement changes docs/benchmark.md first. A figure that only the README has is outdated.
  it("has no figure in its benchmarks that docs/benchmark.md does not have", () => {
    const shown = table(readme, "What", "Required", "Measured");
    const results = table(page("docs/benchmark.md"), "What", "Required", "Measured");
    assert.ok(shown.length >= 5);
    for (const column of ["Required", "Measured"]) {
      const known = results.flatMap((row) => figuresOf(row[column]!));
      for (const row of shown) {
        const figures = figuresOf(row[column]!);
        assert.ok(figures.length > 0, row["What"]);
        assert.deepEqual(
          figures.filter((figure) => !known.includes(figure)),
          [],
          row["What"],
        );
      }
    }
  });

  // A reader can paste the session from the documents or from the output of `coffer dev`, so both must be equal.
  it("has, with docs/cli.md, the session that `coffer dev` prints, line by line", (t) => {
    const printed = printedSession(t);
    assert.ok(printed.length > 15);
    const session = pasted.filter((line) => !/^(?:git|cd|npm) /.test(line));
    assert.deepEqual(session, printed);
  });

  // Readers paste these lines into an interactive shell. zsh expands an unquoted ? or * to file names and fails if
  // there are none, and does not treat a # as the beginning of a comment.
  it("has lines that no shell takes for a pattern or a comment", () => {
    assert.ok(pasted.length > 20);
    for (const line of pasted) assert.doesNotMatch(line.replaceAll(/'[^']*'|"[^"]*"/g, ""), /[?*[\]#~^(){}]/, line);
  });
});

/** The lines of all shell blocks of a text. */
function shellLines(text: string): string[] {
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block]) => linesOf(block!));
}

/** The numbers in a cell of a table. */
function figuresOf(cell: string): string[] {
  return cell.match(/\d+(?:\.\d+)?/g) ?? [];
}

/** The lines of a block that are not empty. */
function linesOf(block: string): string[] {
  return block.split("\n").filter((line) => line !== "");
}

/** The session that `npm run dev` prints for a server that listens at the default address. */
function printedSession(t: { after(task: () => void): void }): string[] {
  const folder = mkdtempSync(join(tmpdir(), "coffer-docs-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const running = readRunningConfig({}, {}, { total: 1024, constrained: 0, cpus: 1 });
  const { config, minted, policy } = prepareDevelopment({ ...running, folder, clock: systemClock });
  const [address] = config.listen;
  assert.ok(address?.kind === "tcp");
  const session = devSession({ address, minted, program: "node dist/src/main.js", policy });
  const lines = session.replaceAll(`${folder}/`, "").split("\n");
  return lines.filter((line) => line.startsWith("  ")).map((line) => line.trim());
}
