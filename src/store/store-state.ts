import { DueQueue } from "./due-changes.ts";
import type { CommittedEntry, Revision } from "./journal.ts";
import type { Memory } from "./memory.ts";
import type { Publication } from "./publication.ts";
import { RequestTable } from "./request-table.ts";

/** Everything that the store thread has in memory. Only {@link publish} changes it. */
export class StoreState {
  readonly requests = new RequestTable();
  readonly due: DueQueue;
  readonly #publication: Publication;

  /** `tombstoneRetentionMs` is how long tombstones are kept. */
  constructor(publication: Publication, tombstoneRetentionMs: number) {
    this.#publication = publication;
    this.due = new DueQueue({ memory: publication.memory, requests: this.requests, tombstoneRetentionMs });
  }

  get memory(): Memory {
    return this.#publication.memory;
  }

  get revision(): Revision {
    return this.#publication.memory.revision;
  }

  /** The time of the last change or request, in milliseconds. */
  get lastTime(): number {
    return Math.max(this.memory.lastTime, this.requests.lastTime);
  }

  /** Makes committed entries visible, in revision order. */
  publish(entries: readonly CommittedEntry[]): void {
    this.#publication.publish(entries);
    this.requests.publish(entries);
    this.due.publish(entries);
  }

  /** See {@link Publication.ready}. */
  ready(): Promise<void> {
    return this.#publication.ready();
  }

  /** See {@link Publication.erased}. */
  erased(): Promise<void> {
    return this.#publication.erased();
  }
}
