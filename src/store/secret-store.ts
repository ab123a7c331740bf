import type { Timers } from "../domain/timers.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { Changes } from "./changes.ts";
import { type CommitObserver, GroupCommit } from "./group-commit.ts";
import type { CheckpointMode, Journal } from "./journal.ts";
import {
  type DeleteCommand,
  type DeleteResult,
  type PutCommand,
  type PutResult,
  deleteOperation,
  putOperation,
} from "./operation.ts";
import { type Publication, ownMemory } from "./publication.ts";
import { SecretReader } from "./secret-reader.ts";

/** The options of a {@link SecretStore}. */
export interface StoreOptions {
  readonly journal: Journal;
  readonly sealer: Sealer;
  readonly observer: CommitObserver;
  readonly timers: Timers;
  /** The maximum size of the store in bytes of memory. A Put that exceeds it is refused. */
  readonly maxStoreBytes: number;
  /** Where the changes that this store publishes go. By default they are only visible in its own memory. */
  readonly publication?: Publication;
}

/** All secrets. Reads come from memory; changes go through the journal. */
export class SecretStore extends SecretReader implements Changes {
  readonly #options: StoreOptions;
  readonly #commits: GroupCommit;

  private constructor(options: StoreOptions, publication: Publication) {
    super({ ...options, memory: publication.memory, catchUp: () => {} });
    this.#options = options;
    this.#commits = new GroupCommit(publication, options.journal, options.observer, options.timers);
  }

  /** Loads the store from the journal. Throws the journal's error if the stored entries can't be trusted. */
  static async load(options: StoreOptions): Promise<SecretStore> {
    const publication = options.publication ?? ownMemory();
    for await (const entries of options.journal.load()) {
      publication.publish(entries);
      await publication.ready();
    }
    return new SecretStore(options, publication);
  }

  put(command: PutCommand): Promise<PutResult> {
    return this.#commits.submit(putOperation(command, this.#options.sealer, this.#options.maxStoreBytes));
  }

  delete(command: DeleteCommand): Promise<DeleteResult> {
    return this.#commits.submit(deleteOperation(command));
  }

  /** Moves committed changes from the log to the database; see {@link Journal.checkpoint}. */
  checkpoint(mode: CheckpointMode): void {
    this.#options.journal.checkpoint(mode);
  }

  /** Resolves when every change that was submitted so far is answered. */
  settled(): Promise<void> {
    return this.#commits.settled();
  }
}
