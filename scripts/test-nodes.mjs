// "npm run test:nodes": runs "npm test" with each line of Node, each in its own folder, `.nodes/RELEASE`: a copy of the
// files of this clone, with its own node_modules and its own SQLite. The node_modules and the SQLite of the clone are
// not changed.
//
//   npm run test:nodes                                   all lines, all tests
//   npm run test:nodes -- --lines=24,26 identity/        these lines, and the files whose path contains "identity/"
//   npm run test:nodes -- --paths --lines=26             only fetches Node, and prints the path of the binary
//
// All other arguments are passed on to "npm test".
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { folderOf, installedNode, releasesOf } from "./node-lines.mjs";

/** The entries of a folder that are kept for the next run. */
const KEPT = ["node", "node_modules", "dist", "dist-test"];

const LINES = "--lines=";
const PATHS = "--paths";
const words = process.argv.slice(2);
const lines = words.filter((word) => word.startsWith(LINES)).flatMap((word) => word.slice(LINES.length).split(","));
const passedOn = words.filter((word) => word !== PATHS && !word.startsWith(LINES));

/** Copies the clone, including uncommitted changes. Returns the folder of the copy. */
function copyOfClone(release) {
  const folder = folderOf(release);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (!KEPT.includes(name)) rmSync(join(folder, name), { recursive: true });
  }
  const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
  });
  for (const file of list.split("\0").filter((name) => name !== "" && existsSync(name))) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    // Preserves times: a lock file that is newer than node_modules would cause another install.
    cpSync(file, join(folder, file), { preserveTimestamps: true, verbatimSymlinks: true });
  }
  return folder;
}

/**
 * Runs the tests with one release. The verdicts on certificates are compared with those of the Node that runs this
 * script.
 */
function passes(release) {
  const bin = installedNode(release);
  const env = {
    ...process.env,
    PATH: [bin, process.env.PATH].join(delimiter),
    COFFER_TEST_NODES: process.execPath,
  };
  console.error(`\ncoffer: Node ${release}, in .nodes/${release}`);
  const { status } = spawnSync("npm", ["test", "--", ...passedOn], {
    cwd: copyOfClone(release),
    env,
    stdio: "inherit",
  });
  return status === 0;
}

const releases = releasesOf(lines);
if (words.includes(PATHS)) {
  for (const release of releases) console.log(join(installedNode(release), "node"));
} else {
  const results = releases.map((release) => ({ release, passed: passes(release) }));
  console.error();
  for (const { release, passed } of results) console.error(`coffer: Node ${release}: ${passed ? "passed" : "FAILED"}`);
  process.exit(results.every(({ passed }) => passed) ? 0 : 1);
}
