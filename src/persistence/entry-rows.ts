import type Database from "better-sqlite3";
import type { Change, VersionRef } from "../store/change.ts";
import type { CommittedEntry, JournalEntry } from "../store/journal.ts";
import type { Revision } from "../store/revision.ts";
import { RequestRows } from "./request-rows.ts";
import { SecretRows } from "./secret-rows.ts";
import { VersionRows } from "./version-rows.ts";

/** Writes entries to the tables. Call {@link write} within a transaction. */
export class EntryRows {
  readonly #versions: VersionRows;
  readonly #secrets: SecretRows;
  readonly #requests: RequestRows;
  readonly #forgetting: Database.Statement;

  constructor(db: Database.Database) {
    this.#versions = new VersionRows(db);
    this.#secrets = new SecretRows(db);
    this.#requests = new RequestRows(db);
    this.#forgetting = db.prepare("INSERT OR REPLACE INTO last_forgetting VALUES (1, ?)");
  }

  /** Writes the entries of one group. Throws if an entry names a version that does not exist. */
  write(group: readonly CommittedEntry[]): void {
    this.#versions.beginGroup();
    for (const { changes, requests, revision } of group) {
      for (const change of changes) this.#apply(change, revision);
      if (requests !== undefined) this.#requests.apply(requests, revision);
      if (forgets({ changes, requests })) this.#forgetting.run(revision);
    }
  }

  #apply(change: Change, revision: Revision): void {
    switch (change.kind) {
      case "put":
        this.#versions.put(change, revision);
        this.#versions.remove(change.path, change.pruned);
        break;
      case "state":
        this.#versions.setState(change, revision);
        break;
      case "settings":
        this.#secrets.setSettings(change, revision);
        this.#versions.remove(change.path, change.pruned);
        break;
      case "purge":
        this.#secrets.purge(change, revision);
        this.#versions.remove(change.path, change.versions);
        break;
      case "forget":
        this.#secrets.forget(change.path);
    }
  }
}

/** The stored versions that a change rewrites or removes. */
export function refsOf(change: Change): readonly VersionRef[] {
  switch (change.kind) {
    case "put":
    case "settings":
      return change.pruned;
    case "state":
    case "purge":
      return change.versions;
    case "forget":
      return [];
  }
}

/**
 * Whether an entry removes tombstones or requests. After such an entry, the tables may have no row of its revision or of
 * a later one, so the table `last_forgetting` stores its revision.
 */
function forgets({ changes, requests }: JournalEntry): boolean {
  return requests?.kind === "forget" || changes.some(({ kind }) => kind === "forget");
}
