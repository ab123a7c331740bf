// Makes a release. "npm run release -- 0.2.0" is a dry run. "npm run release -- 0.2.0 --commit" also makes the commit and
// the tag. Neither pushes nor publishes; .github/workflows/release.yml publishes when the tag is pushed.
//
// Both check all conditions of a release, and build its files into dist-release (scripts/artifacts.mjs). They work in a
// second work tree of the repository, so that a failed release leaves the repository unchanged.
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

/** Every reason to refuse this version. All are reported together. */
function problems() {
  if (!VERSION.test(version ?? ""))
    return [`usage: npm run release -- VERSION [--commit], with a VERSION such as 1.2.3`];
  return [
    ...(git("status", "--porcelain") === "" ? [] : ["the work tree has uncommitted changes"]),
    ...(hasEntries(sectionOf(changelog, "Unreleased")) ? [] : ["CHANGELOG.md has no entry below [Unreleased]"]),
    ...(sectionOf(changelog, version) === undefined ? [] : [`CHANGELOG.md already has a section for ${version}`]),
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

/** A registry never accepts a version twice, even after it was unpublished. A private package cannot be published. */
function registryProblems() {
  if (manifest.private) return [];
  const asked = spawnSync("npm", ["view", "--json", `${manifest.name}@${version}`, "version"], { encoding: "utf8" });
  if (asked.status === 0 && asked.stdout.trim() === "") return [];
  if (asked.status === 0) return [`the registry has ${manifest.name}@${version}`];
  return asked.stdout.includes('"E404"')
    ? []
    : [`cannot ask the registry for ${manifest.name}@${version}: ${asked.stderr}`];
}

/** Writes the version, the changelog and the descriptors of the released proto, and commits them. Returns the commit. */
function commitRelease(tree) {
  const run = (program, ...words) =>
    execFileSync(program, words, { cwd: tree, stdio: ["ignore", "ignore", "inherit"] });
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(join(tree, "CHANGELOG.md"), released(changelog, version, date));
  run("npm", "version", version, "--no-git-tag-version", "--allow-same-version");
  // `buf breaking` checks that later changes are compatible with the proto of this release.
  run("node", "scripts/descriptors.mjs", "--land");
  run("git", "commit", "--quiet", "--all", "--message", `release: version ${version}`);
  return execFileSync("git", ["rev-parse", "HEAD"], { cwd: tree, encoding: "utf8" }).trim();
}

/** Runs `work` in a second work tree of HEAD, with the packages that are installed here. Removes the tree afterwards. */
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
