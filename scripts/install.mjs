// Checks the release of Node, installs the packages if they are missing or older than the lock file, and compiles
// SQLite if that is not done. Prints nothing if there is nothing to do.
//
// No package runs its install script. npm 11 respects "allowScripts" in package.json, but the npm 10 of Node 20 and 22
// does not, and better-sqlite3's script would download Node's headers. So this passes --ignore-scripts.
import "./node-release.mjs";
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { withBuildLock } from "./build-lock.mjs";

const MARKER = "node_modules/.package-lock.json";

const isFresh = () => existsSync(MARKER) && statSync(MARKER).mtimeMs >= statSync("package-lock.json").mtimeMs;

function run(command) {
  const { status } = spawnSync(command, { shell: true, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

function install() {
  // Another process may have installed the packages while this one waited.
  if (!isFresh()) run("npm ci --ignore-scripts --no-audit --no-fund");
}

if (!isFresh()) await withBuildLock(install);
run("node scripts/native.mjs");
