import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, it } from "node:test";
import { allPages, inlineCode, page, table } from "../../support/pages.ts";

const pages = allPages();

describe("the documents", () => {
  it("are all found", () => {
    const names = pages.map(({ path }) => basename(path));
    for (const name of [
      "README.md",
      "SECURITY.md",
      "CHANGELOG.md",
      "architecture.md",
      "guarantees.md",
      "metrics.md",
      "options.md",
    ]) {
      assert.ok(names.includes(name), name);
    }
  });

  // The text names a file relative to the root of the repository, or to src as in docs/architecture.md.
  it("name only files that exist", () => {
    const named = pages.flatMap(({ path, text }) =>
      inlineCode({ path, text })
        .filter(isFile)
        .map((file) => ({ path, file })),
    );
    assert.ok(named.length > 60);
    const exists = (from: string, file: string) =>
      [".", "src", dirname(from)].some((folder) => existsSync(join(folder, file)));
    assert.deepEqual(
      named.filter(({ path, file }) => !exists(path, file)),
      [],
    );
  });

  it("name only scripts and metrics that exist", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
    const run = pages.flatMap(({ text }) => [...text.matchAll(/\bnpm run ([\w:]+)/g)].map(([, name]) => name!));
    assert.ok(run.length > 5);
    assert.deepEqual(
      run.filter((name) => !Object.hasOwn(scripts, name)),
      [],
    );
    // Tests compare docs/metrics.md with the metrics of the server, and the table of docs/agent.md with those of the agent.
    const ofAgent = table(page("docs/agent.md"), "Metric", "Type", "Labels", "Meaning");
    const known = [
      ...inlineCode(page("docs/metrics.md")),
      ...ofAgent.map((row) => row["Metric"]?.replaceAll("`", "") ?? ""),
    ];
    const metrics = pages.flatMap(({ text }) => text.match(/\b(?:coffer|grpc_server)_[a-z_]+\b/g) ?? []);
    assert.ok(metrics.length > 10);
    assert.deepEqual(
      metrics.filter((name) => !known.includes(name) && !known.includes(name.replace(/_(?:bucket|sum|count)$/, ""))),
      [],
    );
  });

  // The check of files above would not notice names that it does not recognize.
  it("are searched for names of files: the name of a missing file is found", () => {
    assert.deepEqual(inlineCode({ path: "docs/x.md", text: "`src/gone.ts`, `not a file`" }).filter(isFile), [
      "src/gone.ts",
    ]);
  });
});

/** Files that the program or a user creates, which are not in a clone. */
const NOT_IN_A_CLONE = /^(certs\/dev|\.coffer|dist|bench\/results)\b/;

function isFile(code: string): boolean {
  return /^[\w.-]*(?:\/[\w.-]+)+\.(?:ts|mjs|proto|md|json|binpb|h)$/.test(code) && !NOT_IN_A_CLONE.test(code);
}
