import type { Content } from "../domain/content.ts";
import { contentUnreadable, secretNotFound, versionDeleted, versionNotFound } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { Timers } from "../domain/timers.ts";
import { versionContext } from "../sealing/context.ts";
import { SealBroken, type Sealer } from "../sealing/sealer.ts";
import { decodeContent } from "./content-format.ts";
import { type CommitObserver, GroupCommit } from "./group-commit.ts";
import type { CheckpointMode, Journal, Revision } from "./journal.ts";
import { findPage, type ListPage, type ListQuery } from "./listing.ts";
import { Memory, type StoreTotals } from "./memory.ts";
import {
  type DeleteCommand,
  type DeleteResult,
  type PutCommand,
  type PutResult,
  deleteOperation,
  putOperation,
} from "./operation.ts";
import { type StoredSecret, type Version, findVersion, newest } from "./secret.ts";
import { ThreadShare } from "./thread-share.ts";

/** The options of a {@link SecretStore}. */
export interface StoreOptions {
  readonly journal: Journal;
  readonly sealer: Sealer;
  readonly observer: CommitObserver;
  readonly timers: Timers;
  /** The maximum size of the store in bytes of memory. A Put that exceeds it is refused. */
  readonly maxStoreBytes: number;
}

/** A version with its decrypted content. */
export interface OpenedVersion {
  readonly version: Version;
  readonly content: Content;
}

/** All secrets. Reads come from memory; changes go through the journal. */
export class SecretStore {
  readonly #options: StoreOptions;
  readonly #memory: Memory;
  readonly #commits: GroupCommit;
  readonly #lists: ThreadShare;

  private constructor(options: StoreOptions, memory: Memory) {
    this.#options = options;
    this.#memory = memory;
    this.#commits = new GroupCommit(memory, options.journal, options.observer, options.timers);
    this.#lists = new ThreadShare(options.timers);
  }

  /** Loads the store from the journal. Throws the journal's error if the stored entries can't be trusted. */
  static async load(options: StoreOptions): Promise<SecretStore> {
    const memory = new Memory();
    for await (const entries of options.journal.load()) memory.publish(entries);
    return new SecretStore(options, memory);
  }

  get totals(): StoreTotals {
    return this.#memory.totals;
  }

  /** The revision of the last visible change. */
  get revision(): Revision {
    return this.#memory.revision;
  }

  /** Adds a version. Rejects with VERSION_MISMATCH, STORE_FULL, or an error of the commit. */
  put(request: PutCommand): Promise<PutResult> {
    return this.#commits.submit(putOperation(request, this.#options.sealer, this.#options.maxStoreBytes));
  }

  /**
   * Marks versions as deleted. Rejects with SECRET_NOT_FOUND, VERSION_NOT_FOUND, VERSION_MISMATCH, or an error of the
   * commit.
   */
  delete(request: DeleteCommand): Promise<DeleteResult> {
    return this.#commits.submit(deleteOperation(request));
  }

  /**
   * Decrypts a version; 0 is the newest. Throws SECRET_NOT_FOUND, VERSION_NOT_FOUND, VERSION_DELETED or
   * CONTENT_UNREADABLE.
   */
  get(path: SecretPath, number: number): OpenedVersion {
    const secret = this.describe(path);
    const version = number === 0 ? newest(secret) : findVersion(secret, number);
    if (version === undefined) throw versionNotFound(path, number);
    if (version.state.kind === "deleted") throw versionDeleted(path, version.number);
    return { version, content: this.#open(path, version) };
  }

  #open(path: SecretPath, version: Version): Content {
    try {
      return decodeContent(this.#options.sealer.open(version.sealed.bytes(), versionContext(path, version.number)));
    } catch (cause) {
      // Any other error is a bug in Coffer. CONTENT_UNREADABLE would make the operator look for damage on the disk.
      if (!(cause instanceof SealBroken || cause instanceof RangeError)) throw cause;
      throw contentUnreadable(path, version.number, cause);
    }
  }

  /** The secret with all its versions, still sealed. Throws SECRET_NOT_FOUND. */
  describe(path: SecretPath): StoredSecret {
    const secret = this.#memory.get(path);
    if (secret === undefined) throw secretNotFound(path);
    return secret;
  }

  /**
   * One page of the secrets whose newest version is not deleted. Other calls are served while it is found. Rejects with
   * DEADLINE_EXCEEDED once `isOver` returns true because the caller no longer waits.
   */
  list(query: ListQuery, isOver: () => boolean): Promise<ListPage> {
    return this.#lists.run({ steps: findPage(this.#memory, query), isOver });
  }

  /** Moves committed changes from the log to the database; see {@link Journal.checkpoint}. */
  checkpoint(mode: CheckpointMode): void {
    this.#options.journal.checkpoint(mode);
  }
}
