import { commit, release } from "../app/release.ts";
import { sqliteVersion } from "../persistence/sqlite-version.ts";

/** What `coffer --version` prints, and a report of a fault should begin with. `node` is process.version. */
export function version(node: string): string {
  return `coffer ${release()} (commit ${commit()})\nNode ${node.slice(1)}\nSQLite ${sqliteVersion()}\n`;
}
