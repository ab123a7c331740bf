import { StartRefused } from "../domain/start-refused.ts";
import { buildSqlite, isSqliteBuilt } from "../persistence/sqlite-build.ts";

/**
 * Compiles SQLite if no server was started from this installation of the package before. npm compiles nothing when it
 * installs the package, so that a workload that only imports the client needs no compiler. Throws {@link StartRefused}
 * if SQLite can't be compiled, for example without a compiler.
 */
export async function requireSqlite(): Promise<void> {
  if (isSqliteBuilt()) return;
  const problems = await buildSqlite();
  if (problems !== undefined) throw new StartRefused(problems);
}
