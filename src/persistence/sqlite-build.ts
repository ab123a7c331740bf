import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";

/** The package, or the clone, that this program is in. */
const PACKAGE = fileURLToPath(new URL("../../../", import.meta.url));

/** The script that compiles SQLite for the release of Node with which it is run. */
const SCRIPT = `${PACKAGE}scripts/native.mjs`;

/** Whether SQLite is compiled for this release of Node. The npm package contains only its source. */
export function isSqliteBuilt(): boolean {
  try {
    new Database(":memory:").close();
    return true;
  } catch {
    return false;
  }
}

/**
 * Compiles SQLite, in one to five minutes, and writes the progress to standard error. Resolves to the problem, in lines
 * for the operator, or to undefined when it is compiled.
 */
export async function buildSqlite(): Promise<string[] | undefined> {
  const instruction = `to compile it, run once as the owner of that folder: node ${SCRIPT}`;
  if (!isWritable(PACKAGE)) {
    return [
      `SQLite is not compiled yet for Node ${process.version}, and this user can't write to ${PACKAGE}`,
      instruction,
    ];
  }
  const [code] = await once(spawn(process.execPath, [SCRIPT], { stdio: ["ignore", "ignore", "inherit"] }), "exit");
  return code === 0 ? undefined : [`SQLite could not be compiled for Node ${process.version}`];
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
