import type { Timers } from "../domain/timers.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { AUTHORIZED_BEFORE, type ChangeAuthorization } from "./change-authorization.ts";
import { type ChangeLimits, ChangeSubmission, type SubmissionOptions } from "./change-submission.ts";
import type { Changes } from "./changes.ts";
import type { ChangeCommand, ChangeResult } from "./command.ts";
import { type CommitObserver, GroupCommit } from "./group-commit.ts";
import type { CheckpointMode, Journal } from "./journal.ts";
import type { StoreTotals } from "./memory.ts";
import { type Publication, ownMemory } from "./publication.ts";
import { SecretReader } from "./secret-reader.ts";
import type { StoreClock } from "./store-clock.ts";
import { StoreState } from "./store-state.ts";
import { Sweep } from "./sweep.ts";
import { NO_WATCHERS, type WatcherVersions } from "./watch-registry.ts";

// The number of expired versions, and of tombstones, that one commit of a sweep removes. Between two of these commits,
// the changes of callers are committed.
const SWEEP_BATCH = 256;

/** The options of a {@link SecretStore}. */
export interface StoreOptions extends ChangeLimits {
  readonly journal: Journal;
  readonly sealer: Sealer;
  readonly observer: CommitObserver;
  readonly timers: Timers;
  readonly clock: StoreClock;
  /** How long the tombstone of a purged secret is kept, in milliseconds. */
  readonly tombstoneRetentionMs: number;
  /** Where the changes that this store publishes go. By default they are only visible in its own memory. */
  readonly publication?: Publication;
  /** Which versions the watchers of secrets use. Default: there is no watcher. */
  readonly watchers?: WatcherVersions;
  /** Authorizes each command when its group begins. Default: every command is accepted. */
  readonly authorize?: ChangeAuthorization;
}

/** All secrets. Reads come from memory; changes go through the journal. */
export class SecretStore extends SecretReader implements Changes {
  readonly #options: StoreOptions;
  readonly #state: StoreState;
  readonly #commits: GroupCommit;
  readonly #submission: SubmissionOptions;

  private constructor(options: StoreOptions, state: StoreState) {
    super({ ...options, memory: state.memory });
    this.#options = options;
    this.#state = state;
    this.#commits = new GroupCommit({ ...options, state });
    const defaults = { watchers: NO_WATCHERS, authorize: AUTHORIZED_BEFORE };
    this.#submission = { ...defaults, ...options, requests: state.requests };
  }

  /** Loads the store from the journal. Throws the journal's error if the stored entries can't be trusted. */
  static async load(options: StoreOptions): Promise<SecretStore> {
    const state = new StoreState(options.publication ?? ownMemory(), options.clock, options.tombstoneRetentionMs);
    for await (const entries of options.journal.load()) {
      state.publish(entries);
      await state.ready();
    }
    return new SecretStore(options, state);
  }

  /** The totals, including the bytes of the remembered requests, which count toward the limit. */
  override get totals(): StoreTotals {
    const totals = super.totals;
    return { ...totals, bytes: totals.bytes + this.#state.requests.bytes };
  }

  /** The number of remembered requests, of all callers. */
  get requestIds(): number {
    return this.#state.requests.size;
  }

  change(command: ChangeCommand): Promise<ChangeResult> {
    return this.#commits.submit(new ChangeSubmission(command, this.#submission));
  }

  /**
   * Makes the changes that the passing of time requires: removes the content of expired versions, tombstones after their
   * retention, and requests after 24 hours. Also removes content from the log that could not be removed before. Calls
   * `continues` between two commits, and ends if it returns false. Rejects with the error of a commit.
   */
  async sweep(continues: () => boolean = () => true): Promise<void> {
    while (!(await this.#sweepBatch()) && continues());
  }

  /** Moves committed changes from the log to the database; see {@link Journal.checkpoint}. */
  checkpoint(mode: CheckpointMode): void {
    this.#options.journal.checkpoint(mode);
  }

  /** Resolves when every change that was submitted so far is answered. */
  settled(): Promise<void> {
    return this.#commits.settled();
  }

  /** Returns whether nothing more is due. */
  async #sweepBatch(): Promise<boolean> {
    const due = this.#state.due.take(this.#options.clock.now(), SWEEP_BATCH);
    try {
      await this.#commits.submit(new Sweep(due));
    } catch (error) {
      this.#state.due.putBack(due);
      throw error;
    }
    return due.versions.length < SWEEP_BATCH && due.tombstones.length < SWEEP_BATCH;
  }
}
