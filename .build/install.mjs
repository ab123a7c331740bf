// Installs the packages if they are missing or older than the lock file; says nothing when there is nothing to do.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";

const marker = "node_modules/.package-lock.json";
const fresh = existsSync(marker) && statSync(marker).mtimeMs >= statSync("package-lock.json").mtimeMs;
const command = fresh ? "node .build/native.mjs" : "npm ci --no-audit --no-fund";
process.exit(spawnSync(command, { shell: true, stdio: "inherit" }).status ?? 1);
