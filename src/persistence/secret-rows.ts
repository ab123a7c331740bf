import type Database from "better-sqlite3";
import type { PurgeChange, SettingsChange } from "../store/change.ts";
import type { Revision } from "../store/revision.ts";

/** Writes the tables `settings` and `tombstones`. Call its methods within a transaction. */
export class SecretRows {
  readonly #putSettings: Database.Statement;
  readonly #removeSettings: Database.Statement;
  readonly #putTombstone: Database.Statement;
  readonly #removeTombstone: Database.Statement;

  constructor(db: Database.Database) {
    this.#putSettings = db.prepare("INSERT OR REPLACE INTO settings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    this.#removeSettings = db.prepare("DELETE FROM settings WHERE path = ?");
    this.#putTombstone = db.prepare("INSERT INTO tombstones VALUES (?, ?, ?, ?, ?)");
    this.#removeTombstone = db.prepare("DELETE FROM tombstones WHERE path = ?");
  }

  /** The first change of a secret that is put again after a purge sets its settings, so this also removes the tombstone. */
  setSettings({ path, time, author, settings }: SettingsChange, revision: Revision): void {
    const { maxVersions, labels, description, defaultTtl, casRequired, firstVersion } = settings;
    const values = [
      maxVersions,
      JSON.stringify(labels),
      description,
      defaultTtl ?? null,
      Number(casRequired),
      firstVersion,
    ];
    this.#putSettings.run(path, revision, time, author, ...values);
    this.#removeTombstone.run(path);
  }

  purge({ path, time, author, lastVersion }: PurgeChange, revision: Revision): void {
    this.#removeSettings.run(path);
    this.#putTombstone.run(path, revision, time, author, lastVersion);
  }

  forget(path: string): void {
    if (this.#removeTombstone.run(path).changes !== 1) throw new Error(`${path} has no tombstone to forget`);
  }
}
