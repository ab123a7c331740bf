// Makes a release: "npm run release -- 0.2.0" is a dry run, and "npm run release -- 0.2.0 --commit" makes the commit and
// the tag. Nothing is pushed or published: the workflow .github/workflows/release.yml does that when the tag is pushed.
//
// Both forms check everything and build the files of the release into dist-release (scripts/artifacts.mjs), in a second
// work tree of the repository. A release that fails leaves the repository as it was.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { hasEntries, released, sectionOf } from "./changelog.mjs";

const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/;

const isCommitted = process.argv.includes("--commit");
const [version] = process.argv.slice(2).filter((argument) => argument !== "--commit");

const git = (...words) => execFileSync("git", words, { encoding: "utf8" }).trim();
const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const changelog = readFileSync("CHANGELOG.md", "utf8");

/** Every reason not to release this version; none is hidden behind another one. */
function problems() {
  if (!VERSION.test(version ?? ""))
    return [`usage: npm run release -- VERSION [--commit], with a VERSION such as 1.2.3`];
  return [
    ...(git("status", "--porcelain") === "" ? [] : ["the work tree has changes that are not committed: git status"]),
    ...(hasEntries(sectionOf(changelog, "Unreleased")) ? [] : ["CHANGELOG.md has no entry below [Unreleased]"]),
    ...(sectionOf(changelog, version) === undefined ? [] : [`CHANGELOG.md has a section for ${version} already`]),
    ...tagProblems(),
    ...registryProblems(),
  ];
}

function tagProblems() {
  const [latest] = git("tag", "--list", "v*.*.*", "--sort=-version:refname").split("\n");
  if (git("tag", "--list", `v${version}`) !== "") return [`the tag v${version} exists`];
  return latest === "" || isLater(version, latest.slice(1)) ? [] : [`${version} is not later than ${latest}`];
}

function isLater(version, other) {
  const [numbers, others] = [version, other].map((text) => text.split(".").map((part) => Number.parseInt(part, 10)));
  const differs = numbers.findIndex((number, index) => number !== others[index]);
  return differs !== -1 && numbers[differs] > others[differs];
}

/** A version is in a registry for ever, even after it is unpublished. A private package is in none. */
function registryProblems() {
  if (manifest.private) return [];
  const asked = spawnSync("npm", ["view", "--json", `${manifest.name}@${version}`, "version"], { encoding: "utf8" });
  if (asked.status === 0 && asked.stdout.trim() === "") return [];
  if (asked.status === 0) return [`the registry has ${manifest.name}@${version}`];
  return asked.stdout.includes('"E404"')
    ? []
    : [`the registry can't be asked for ${manifest.name}@${version}: ${asked.stderr}`];
}

/** Writes the version, the changelog and the landed contract, and commits them. Returns the commit. */
function commitRelease(tree) {
  const run = (program, ...words) =>
    execFileSync(program, words, { cwd: tree, stdio: ["ignore", "ignore", "inherit"] });
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(join(tree, "CHANGELOG.md"), released(changelog, version, date));
  run("npm", "version", version, "--no-git-tag-version", "--allow-same-version");
  // The contract of a release is what later changes are held against.
  run("node", "scripts/descriptors.mjs", "--land");
  run("git", "commit", "--quiet", "--all", "--message", `release: version ${version}`);
  return execFileSync("git", ["rev-parse", "HEAD"], { cwd: tree, encoding: "utf8" }).trim();
}

/** Does the work in a second work tree of HEAD, with the packages that are installed here, and removes it. */
function inSecondTree(work) {
  const parent = mkdtempSync(join(tmpdir(), "coffer-release-"));
  const tree = join(parent, manifest.name);
  try {
    git("worktree", "add", "--quiet", "--detach", tree, "HEAD");
    symlinkSync(resolve("node_modules"), join(tree, "node_modules"));
    return work(tree);
  } finally {
    rmSync(parent, { recursive: true, force: true });
    git("worktree", "prune");
  }
}

const found = problems();
for (const problem of found) console.error(`release: ${problem}`);
if (found.length > 0) process.exit(1);

const commit = inSecondTree((tree) => {
  const commit = commitRelease(tree);
  const words = ["scripts/artifacts.mjs", resolve("dist-release")];
  execFileSync(process.execPath, words, { cwd: tree, stdio: ["ignore", "ignore", "inherit"] });
  return commit;
});
console.log(`dist-release has the files of ${version}.`);
if (isCommitted) {
  git("merge", "--quiet", "--ff-only", commit);
  git("tag", "--annotate", "--message", `Coffer ${version}`, `v${version}`, commit);
  console.log(`Committed and tagged. To publish: git push origin HEAD v${version}`);
} else {
  console.log(`This was a dry run: no commit, no tag. To make them: npm run release -- ${version} --commit`);
}
