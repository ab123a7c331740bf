import { commit, release } from "../app/release.ts";
import { sqliteVersion } from "../persistence/sqlite-version.ts";

/** The output of `coffer --version`, which a bug report should contain. `node` is process.version. */
export function version(node: string): string {
  return `coffer ${release()} (commit ${commit()})\nNode ${node.slice(1)}\nSQLite ${sqliteVersion()}\n`;
}
