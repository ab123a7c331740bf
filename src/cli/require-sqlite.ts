import { StartRefused } from "../domain/start-refused.ts";
import { buildSqlite, isSqliteBuilt } from "../persistence/sqlite-build.ts";

/**
 * Compiles SQLite if this is the first server that a package starts. npm compiles nothing when it installs the package:
 * a workload that only imports the client needs no compiler. Throws {@link StartRefused} when there is none here.
 */
export async function requireSqlite(): Promise<void> {
  if (isSqliteBuilt()) return;
  const problems = await buildSqlite();
  if (problems !== undefined) throw new StartRefused(problems);
}
