import { REQUEST_ID_MS } from "../contract/limits.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import { type Deadline, DeadlineQueue } from "./deadline-queue.ts";
import type { CommittedEntry } from "./journal.ts";
import type { Revision } from "./revision.ts";
import type { Memory } from "./memory.ts";
import type { RequestTable } from "./request-table.ts";
import { findVersion } from "./secret.ts";

/** A version whose content is removed when it expires. */
interface ExpiringVersion extends Deadline {
  readonly path: SecretPath;
  readonly version: number;
}

/** A tombstone that is removed when its retention ends. */
interface EndingTombstone extends Deadline {
  readonly path: SecretPath;
  readonly revision: Revision;
}

/** The changes that are due because time has passed. */
export interface DueChanges {
  readonly versions: readonly ExpiringVersion[];
  readonly tombstones: readonly EndingTombstone[];
  /** The requests that were answered before this time are forgotten; undefined if there are none. */
  readonly requestsBefore: number | undefined;
}

/** What {@link DueQueue} needs. */
export interface DueOptions {
  readonly memory: Memory;
  readonly requests: RequestTable;
  /** How long tombstones are kept, in milliseconds. */
  readonly tombstoneRetentionMs: number;
}

/** Finds the changes that are due because time has passed, without looking at everything that is stored. */
export class DueQueue {
  readonly #options: DueOptions;
  readonly #versions: DeadlineQueue<ExpiringVersion>;
  readonly #tombstones: DeadlineQueue<EndingTombstone>;

  constructor(options: DueOptions) {
    this.#options = options;
    const { memory } = options;
    this.#versions = new DeadlineQueue(({ path, version, time }) => {
      const stored = memory.get(path);
      const found = stored?.kind === "secret" ? findVersion(stored, version) : undefined;
      return found?.expireTime === time && found.sealed.length > 0;
    });
    this.#tombstones = new DeadlineQueue(({ path, revision }) => {
      const stored = memory.get(path);
      return stored?.kind === "tombstone" && stored.revision === revision;
    });
  }

  /** Adds the deadlines of entries. Call it after they are published to memory. */
  publish(entries: readonly CommittedEntry[]): void {
    for (const { changes, revision } of entries) {
      for (const change of changes) {
        if (change.kind === "put" && change.expireTime !== undefined) {
          this.#versions.add({ time: change.expireTime, path: change.path, version: change.version });
        } else if (change.kind === "purge") {
          const time = change.time + this.#options.tombstoneRetentionMs;
          this.#tombstones.add({ time, path: change.path, revision });
        }
      }
    }
  }

  /** Removes and returns what is due, at most `limit` of each kind. */
  take(time: number, limit: number): DueChanges {
    const { firstTime } = this.#options.requests;
    const before = time - REQUEST_ID_MS;
    return {
      versions: this.#versions.takeDue(time, limit),
      tombstones: this.#tombstones.takeDue(time, limit),
      requestsBefore: firstTime !== undefined && firstTime < before ? before : undefined,
    };
  }

  /** Puts back what could not be changed. */
  putBack({ versions, tombstones }: DueChanges): void {
    for (const version of versions) this.#versions.add(version);
    for (const tombstone of tombstones) this.#tombstones.add(tombstone);
  }
}
