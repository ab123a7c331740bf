import Database from "better-sqlite3";

/** The release of the SQLite that is built in, such as "3.51.3"; when it can't be loaded, the reason in parentheses. */
export function sqliteVersion(): string {
  try {
    const database = new Database(":memory:");
    try {
      return String(database.prepare("SELECT sqlite_version()").pluck().get());
    } finally {
      database.close();
    }
  } catch (error) {
    // A binary for another Node. A report of that fault needs the other lines all the same.
    return `(can't be loaded: ${(error as Error).message.split("\n", 1)[0]})`;
  }
}
