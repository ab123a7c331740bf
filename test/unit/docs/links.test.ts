import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, it } from "node:test";
import { type Page, allPages, anchorsOf, inlineCode, page, withoutCodeBlocks } from "../../support/pages.ts";

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

  it("link to what there is", () => {
    const links = pages.flatMap(linksOf);
    assert.ok(links.length > 30);
    assert.deepEqual(links.flatMap(linkProblem), []);
  });

  // A name of a file in the text: from the top, or below src as docs/architecture.md does.
  it("name files that there are", () => {
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

  it("name scripts and metrics that there are", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
    const run = pages.flatMap(({ text }) => [...text.matchAll(/\bnpm run ([\w:]+)/g)].map(([, name]) => name!));
    assert.ok(run.length > 5);
    assert.deepEqual(
      run.filter((name) => !Object.hasOwn(scripts, name)),
      [],
    );
    const known = inlineCode(page("docs/metrics.md"));
    const metrics = pages.flatMap(({ text }) => text.match(/\b(?:coffer|grpc_server)_[a-z_]+\b/g) ?? []);
    assert.ok(metrics.length > 10);
    assert.deepEqual(
      metrics.filter((name) => !known.includes(name) && !known.includes(name.replace(/_(?:bucket|sum|count)$/, ""))),
      [],
    );
  });

  // The two checks above would not notice links and files that they fail to see.
  it("are read whole: a link, an anchor, or a file that is missing is told", () => {
    const broken = { path: "docs/x.md", text: "[a](gone.md), [b](metrics.md#gone), [c](metrics.md), `src/gone.ts`" };
    assert.deepEqual(linksOf(broken).flatMap(linkProblem), [
      "docs/x.md links to docs/gone.md, which does not exist",
      "docs/x.md links to docs/metrics.md#gone, which has no such heading",
    ]);
    assert.deepEqual(inlineCode(broken).filter(isFile), ["src/gone.ts"]);
  });
});

interface Link {
  readonly from: string;
  /** From the top of the repository. */
  readonly target: string;
  readonly anchor: string | undefined;
}

/** The links to pages of the repository. */
function linksOf({ path, text }: Page): Link[] {
  return [...withoutCodeBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => link.split("#", 2) as [string, string?])
    .map(([file, anchor]) => ({ from: path, target: file === "" ? path : join(dirname(path), file), anchor }));
}

function linkProblem({ from, target, anchor }: Link): string[] {
  if (!existsSync(target)) return [`${from} links to ${target}, which does not exist`];
  if (anchor === undefined || anchorsOf(page(target)).includes(anchor)) return [];
  return [`${from} links to ${target}#${anchor}, which has no such heading`];
}

/** Made and kept by the program or by a user, and in no clone. */
const NOT_IN_A_CLONE = /^(certs\/dev|\.coffer|dist|bench\/results)\b/;

function isFile(code: string): boolean {
  return /^[\w.-]*(?:\/[\w.-]+)+\.(?:ts|mjs|proto|md|json|binpb|h)$/.test(code) && !NOT_IN_A_CLONE.test(code);
}
