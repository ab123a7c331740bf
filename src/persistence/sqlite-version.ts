import Database from "better-sqlite3";

/**
 * The release of the SQLite that better-sqlite3 contains, such as "3.51.3". If it can't be loaded, the reason in
 * parentheses.
 */
export function sqliteVersion(): string {
  try {
    const database = new Database(":memory:");
    try {
      return String(database.prepare("SELECT sqlite_version()").pluck().get());
    } finally {
      database.close();
    }
  } catch (error) {
    // The binary is for another Node release. The caller still prints its other lines, to report the problem.
    return `(can't be loaded: ${(error as Error).message.split("\n", 1)[0]})`;
  }
}
