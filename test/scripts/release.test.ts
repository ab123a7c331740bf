import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Ran, runToEnd } from "../support/cli-kit.ts";
import { copyRepository } from "../support/repository-copy.ts";

const CHANGELOG =
  "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n\n- The first thing.\n";

interface Locked {
  readonly version: string;
  readonly dev?: boolean;
}

/** Leaves out tests, the bench and documents, to save compile time. The setup writes one test in their place. */
const isNeeded = (file: string) => !/^(test|bench|docs)\//.test(file);

describe("scripts/release.mjs", () => {
  /** A repository with the files of this one, at version 0.1.0, with one unreleased change. */
  let repository: string;
  beforeEach(() => {
    repository = mkdtempSync(join(tmpdir(), "coffer-releases-"));
    copyRepository(repository, isNeeded);
    mkdirSync(join(repository, "test"));
    writeFileSync(join(repository, "test/one.test.ts"), "export {};\n");
    writeFileSync(join(repository, "CHANGELOG.md"), CHANGELOG);
    changeManifest({ version: "0.1.0", private: true });
    git("init", "--quiet", "--initial-branch=main");
    git("config", "user.name", "Release test");
    git("config", "user.email", "release@example.org");
    commitAll();
    git("tag", "v0.1.0");
  });
  afterEach(() => rmSync(repository, { recursive: true }));

  const read = (path: string) => readFileSync(join(repository, path), "utf8");
  const git = (...words: string[]) => execFileSync("git", words, { cwd: repository, encoding: "utf8" }).trim();
  const commitAll = () => {
    git("add", "--all");
    git("commit", "--quiet", "--message", "test: a change");
  };
  const changeManifest = (change: object) =>
    writeFileSync(join(repository, "package.json"), JSON.stringify({ ...JSON.parse(read("package.json")), ...change }));

  /** What a release changes. A dry run and a refusal must not change it. */
  const state = () => [git("rev-parse", "HEAD"), git("tag"), git("status", "--porcelain"), git("worktree", "list")];

  const release = (words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> =>
    runToEnd(process.execPath, ["scripts/release.mjs", ...words], { cwd: repository, env });

  /** Expects a refusal for exactly these reasons, which leaves the repository as it was. */
  async function refuses(words: readonly string[], reasons: readonly RegExp[], env: Record<string, string> = {}) {
    const before = state();
    const { code, stderr } = await release(words, env);
    assert.equal(code, 1);
    const lines = stderr.trimEnd().split("\n");
    assert.equal(lines.length, reasons.length, stderr);
    for (const [index, reason] of reasons.entries()) assert.match(lines[index]!, reason);
    assert.deepEqual(state(), before);
  }

  // The positive control of every refusal below: the same repository, without its fault.
  it("builds all files in a dry run and changes nothing; with --commit it also commits and tags", async () => {
    const before = state();
    const dry = await release(["0.2.0"]);
    assert.equal(dry.code, 0, dry.stderr);
    assert.deepEqual(state(), before);
    const files = readdirSync(join(repository, "dist-release")).sort();
    const ofVersion = ["cdx.json", "descriptors.binpb", "notes.md", "tgz"].map((ending) => `coffer-0.2.0.${ending}`);
    assert.deepEqual(files, ["SHA256SUMS", ...ofVersion]);

    const real = await release(["0.2.0", "--commit"]);
    assert.equal(real.code, 0, real.stderr);
    assert.equal(git("tag", "--points-at", "HEAD"), "v0.2.0");
    assert.equal(git("rev-parse", "HEAD^"), before[0]);
    assert.equal(git("status", "--porcelain"), "");
    assert.equal(JSON.parse(read("package.json")).version, "0.2.0");
    assert.equal(JSON.parse(read("package-lock.json")).version, "0.2.0");
    assert.match(
      read("CHANGELOG.md"),
      /^# Changelog\n\n## \[Unreleased\]\n\n## \[0\.2\.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- A thing\.\n\n## \[0\.1\.0\]/,
    );
    assert.deepEqual(readFileSync(join(repository, "proto/landed.binpb")), readFileSync("proto/descriptors.binpb"));
  });

  // The files are made from the commit of the tag. The test reads them with the tools that a user has.
  it("makes files that agree with each other and with the tag", async () => {
    assert.equal((await release(["0.2.0", "--commit"])).code, 0);
    const folder = join(repository, "dist-release");
    const inFolder = (program: string, ...words: string[]) =>
      execFileSync(program, words, { cwd: folder, encoding: "utf8" });
    assert.equal(inFolder("sha256sum", "--check", "SHA256SUMS").trim().split("\n").length, 4);

    const packed = inFolder("tar", "-tzf", "coffer-0.2.0.tgz").trim().split("\n");
    assert.ok(packed.includes("package/dist/src/main.js"));
    assert.deepEqual(
      packed.filter((path) => /^package\/(?!node_modules\/).*(\b(test|bench)\/|\.test\.)/.test(path)),
      [],
    );
    inFolder("tar", "-xzf", "coffer-0.2.0.tgz");
    assert.match(inFolder(process.execPath, "package/dist/src/main.js", "--version"), /^coffer 0\.2\.0 /);
    assert.equal(read("dist-release/package/dist/src/commit").trim(), git("rev-parse", "--short=12", "HEAD"));

    const bom = JSON.parse(read("dist-release/coffer-0.2.0.cdx.json"));
    assert.deepEqual(
      [bom.bomFormat, bom.metadata.component.name, bom.metadata.component.version],
      ["CycloneDX", "coffer", "0.2.0"],
    );
    // Every package of the lock file that runs with the program, and no tool.
    const locked = Object.entries(JSON.parse(read("package-lock.json")).packages as Record<string, Locked>)
      .filter(([path, { dev }]) => path !== "" && dev !== true)
      .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, "")}@${version}`);
    assert.ok(locked.length > 50);
    const described = (bom.components as { "bom-ref": string }[]).map((component) => component["bom-ref"]);
    assert.deepEqual(described.sort(), [...new Set(locked)].sort());

    assert.equal(read("dist-release/coffer-0.2.0.notes.md"), "### Added\n\n- A thing.\n");
    assert.deepEqual(
      readFileSync(join(folder, "coffer-0.2.0.descriptors.binpb")),
      readFileSync("proto/descriptors.binpb"),
    );
  });

  it("refuses a work tree with changes: a changed file, and a file that git does not know", async () => {
    appendFileSync(join(repository, "README.md"), "more\n");
    await refuses(["0.2.0"], [/work tree has uncommitted changes/]);
    git("checkout", "--quiet", "README.md");
    writeFileSync(join(repository, "src/left.ts"), "");
    await refuses(["0.2.0", "--commit"], [/work tree has uncommitted changes/]);
  });

  it("refuses a version without an entry in the changelog, even if there is a heading", async () => {
    writeFileSync(join(repository, "CHANGELOG.md"), CHANGELOG.replace("- A thing.\n", ""));
    commitAll();
    await refuses(["0.2.0"], [/no entry below \[Unreleased\]/]);
  });

  it("refuses a version that exists: as a tag, in the changelog, or below the latest tag", async () => {
    await refuses(["0.1.0"], [/already has a section for 0\.1\.0/, /tag v0\.1\.0 exists/]);
    await refuses(["0.0.9"], [/0\.0\.9 is not later than v0\.1\.0/]);
    git("tag", "v0.10.0");
    await refuses(["0.9.0"], [/0\.9\.0 is not later than v0\.10\.0/]);
  });

  it("refuses an invalid version, and prints its usage", async () => {
    for (const words of [[], ["1.2"], ["v1.2.3"], ["01.2.3"], ["--commit"]]) await refuses(words, [/usage: /]);
  });

  // A registry never accepts a version twice. The script asks only about a package that is not private.
  it("refuses a version that the registry has, and a version that the registry cannot be asked about", async () => {
    changeManifest({ private: false });
    commitAll();
    const asked: string[] = [];
    const registry = createServer((request, response) => {
      asked.push(request.url!);
      const versions = { "0.2.0": { name: "coffer", version: "0.2.0", dist: {} } };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ name: "coffer", "dist-tags": { latest: "0.2.0" }, versions }));
    });
    await new Promise<void>((listening) => registry.listen(0, "127.0.0.1", listening));
    const address = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
    try {
      const env = {
        npm_config_registry: address,
        npm_config_fetch_retries: "0",
        npm_config_cache: join(repository, ".git/npm"),
      };
      await refuses(["0.2.0"], [/the registry has coffer@0\.2\.0/], env);
      assert.deepEqual(asked, ["/coffer"]);
      const { code, stderr } = await release(["0.3.0"], env);
      assert.equal(code, 0, stderr);
      registry.close();
      registry.closeAllConnections();
      const closed = await release(["0.3.0"], { ...env, npm_config_cache: join(repository, ".git/npm-2") });
      assert.equal(closed.code, 1);
      assert.match(closed.stderr, /^release: cannot ask the registry for coffer@0\.3\.0/m);
    } finally {
      registry.close();
    }
  });

  // A failed release leaves no commit, no tag and no second work tree.
  it("leaves the repository as it was when the build fails", async () => {
    writeFileSync(join(repository, "src/broken.ts"), "export const broken: string = 1;\n");
    commitAll();
    const before = state();
    assert.equal((await release(["0.2.0", "--commit"])).code, 1);
    assert.deepEqual(state(), before);
  });
});
