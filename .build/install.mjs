// Checks the release of Node, and installs the packages if they are missing or older than the lock file; says nothing when there is nothing to do.
//
// No package's own install script runs: npm 11 heeds "allowScripts" in package.json, but the npm 10 that comes with
// Node 20 and 22 does not, and better-sqlite3's script would look for Node's headers on the network.
import "./node-release.mjs";
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";

const marker = "node_modules/.package-lock.json";
const fresh = existsSync(marker) && statSync(marker).mtimeMs >= statSync("package-lock.json").mtimeMs;
const commands = [...(fresh ? [] : ["npm ci --ignore-scripts --no-audit --no-fund"]), "node .build/native.mjs"];
for (const command of commands) {
  const { status } = spawnSync(command, { shell: true, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
