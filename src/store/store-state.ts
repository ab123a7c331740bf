import { DueQueue } from "./due-changes.ts";
import type { CommittedEntry } from "./journal.ts";
import type { Revision } from "./revision.ts";
import type { Memory } from "./memory.ts";
import type { Publication } from "./publication.ts";
import { RequestTable } from "./request-table.ts";
import type { StoreClock } from "./store-clock.ts";

/** Everything that the store thread has in memory. Only {@link publish} changes it. */
export class StoreState {
  readonly requests = new RequestTable();
  readonly due: DueQueue;
  readonly #publication: Publication;
  readonly #clock: StoreClock;

  /** `tombstoneRetentionMs` is how long tombstones are kept. */
  constructor(publication: Publication, clock: StoreClock, tombstoneRetentionMs: number) {
    this.#publication = publication;
    this.#clock = clock;
    this.due = new DueQueue({ memory: publication.memory, requests: this.requests, tombstoneRetentionMs });
  }

  get memory(): Memory {
    return this.#publication.memory;
  }

  get revision(): Revision {
    return this.#publication.memory.revision;
  }

  /** Makes committed entries visible, in revision order, and sets the clock forward to the time of the last one. */
  publish(entries: readonly CommittedEntry[]): void {
    this.#publication.publish(entries);
    this.requests.publish(entries);
    this.due.publish(entries);
    this.#clock.advanceTo(Math.max(this.memory.lastTime, this.requests.lastTime));
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
