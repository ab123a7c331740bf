import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { readDockerIgnore } from "./docker-ignore.ts";

// The rules are at https://docs.docker.com/build/concepts/context/#dockerignore-files.
describe("the reader of .dockerignore", () => {
  const rows: readonly (readonly [text: string, path: string, isOut: boolean])[] = [
    ["", "a", false],
    ["a", "a", true],
    ["a", "a/b/c", true],
    ["a", "b/a", false],
    ["/a/", "a/b", true],
    ["*", "a/b", true],
    ["*.key", "a.key", true],
    ["*.key", "a/b.key", false],
    ["**/*.key", "b.key", true],
    ["**/*.key", "a/b/c.key", true],
    ["a?", "ab", true],
    ["a?", "a/", false],
    ["a.b", "aXb", false],
    ["# a\n\n", "a", false],
    ["*\n!a", "a/b", false],
    ["*\n!a", "b", true],
    ["*\n!a\n**/*.key", "a/b.key", true],
    ["*\n!a/b", "a/b", false],
    ["*\n!a/b", "a/c", true],
  ];
  for (const [text, path, isOut] of rows) {
    it(`${isOut ? "excludes" : "includes"} ${path} with ${JSON.stringify(text)}`, () => {
      assert.equal(readDockerIgnore(text)(path), isOut);
    });
  }

  it("excludes from the image what must never be in one", () => {
    const ignores = readDockerIgnore(readFileSync(".dockerignore", "utf8"));
    const never = [
      ...["certs/dev/ca.key", ".coffer/root.key", ".git/config", "node_modules/x", "root.key", "src/left.key"],
      ...["src/left.pem", "test/x.ts", "bench/x.ts", ".env", "docs/x.md", "dist/x.js", "scripts/descriptors.mjs"],
    ];
    assert.deepEqual(
      never.filter((path) => !ignores(path)),
      [],
    );
    const always = ["src/main.ts", "package.json", "proto/descriptors.binpb", "scripts/native.mjs"];
    assert.deepEqual(always.filter(ignores), []);
  });
});
