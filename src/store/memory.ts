import type { SecretPath } from "../domain/secret-path.ts";
import { type Measured, applyChange } from "./apply-change.ts";
import type { Change } from "./change.ts";
import { ChangeIndex } from "./change-index.ts";
import type { CommittedEntry } from "./journal.ts";
import type { Revision } from "./revision.ts";
import { PathIndex } from "./path-index.ts";
import type { Position } from "./position.ts";
import type { SealedContents } from "./sealed-contents.ts";
import { type Stored, type StoredSecret, type Version, namedVersions } from "./secret.ts";
import { AUTHOR_OVERHEAD, memoryBytes } from "./stored-size.ts";
import { type TimelineId, Timelines } from "./timelines.ts";

/** The number of secrets and versions in the store, and its size. */
export interface StoreTotals {
  readonly secrets: number;
  readonly versions: number;
  /** Purged secrets whose tombstones are kept. */
  readonly tombstones: number;
  /** Bytes of memory, as `--max-store-bytes` counts them. */
  readonly bytes: number;
}

/** What reads use of {@link Memory}. */
export type ReadableMemory = Pick<Memory, "get" | "atOrAfter" | "totals" | "revision">;

/** What watchers use of {@link Memory}. */
export type WatchableMemory = Pick<
  Memory,
  | "get"
  | "atOrAfter"
  | "count"
  | "tombstoneAtOrAfter"
  | "changedAfter"
  | "countAfter"
  | "revision"
  | "forgotten"
  | "timelineAt"
  | "onPublished"
>;

/** Called with entries that were just published, in revision order. */
export type PublishedListener = (entries: readonly CommittedEntry<unknown>[]) => void;

/** All secrets and tombstones, at one revision. Reads use nothing else, and only {@link publish} changes it. */
export class Memory<Sealed extends Measured = Buffer> {
  readonly #stored = new Map<SecretPath, Stored>();
  /** The paths of the secrets, without those of tombstones. */
  readonly #index = new PathIndex();
  readonly #tombstones = new PathIndex();
  /** The secrets and the tombstones. */
  readonly #changes = new ChangeIndex();
  readonly #sealed: SealedContents<Sealed>;
  readonly #pack = (sealed: Sealed) => this.#sealed.add(sealed);
  readonly #copies: number;
  readonly #authors = new Map<string, string>();
  #revision: Revision = 0;
  #forgotten: Revision = 0;
  readonly #timelines = new Timelines();
  #onPublished: PublishedListener = () => {};
  #lastTime = 0;
  #secrets = 0;
  #versions = 0;
  #bytes = 0;

  /**
   * Creates an empty memory, which keeps the sealed contents in `sealed`. The process has `copies` of everything else, of
   * which this memory is one: {@link totals} counts all of them.
   */
  constructor(sealed: SealedContents<Sealed>, copies = 1) {
    this.#sealed = sealed;
    this.#copies = copies;
  }

  /** The revision of the last published change. */
  get revision(): Revision {
    return this.#revision;
  }

  /** No tombstone of a purge after this revision was forgotten. */
  get forgotten(): Revision {
    return this.#forgotten;
  }

  /** See {@link Timelines.at}. */
  timelineAt(revision: Revision): TimelineId | undefined {
    return this.#timelines.at(revision);
  }

  /** The time of the latest change, in milliseconds. No later change gets an earlier time. */
  get lastTime(): number {
    return this.#lastTime;
  }

  get totals(): StoreTotals {
    const tombstones = this.#stored.size - this.#secrets;
    return { secrets: this.#secrets, versions: this.#versions, tombstones, bytes: this.#bytes };
  }

  /** The size of what is stored for a path in bytes of memory, as {@link totals} counts it. */
  sizeOf(stored: Stored | undefined): number {
    return stored === undefined ? 0 : memoryBytes(stored, this.#copies);
  }

  get(path: SecretPath): Stored | undefined {
    return this.#stored.get(path);
  }

  /** The first secret whose path is not less than `start`; undefined if there is none. Tombstones are skipped. */
  atOrAfter(start: string): StoredSecret | undefined {
    const path = this.#index.atOrAfter(start);
    return path === undefined ? undefined : secretOf(this.#stored.get(path));
  }

  /** The number of secrets whose paths are not less than `start`, and less than `end`. */
  count(start: string, end: string): number {
    return this.#index.count(start, end);
  }

  /** The path of the first tombstone that is not less than `start`; undefined if there is none. */
  tombstoneAtOrAfter(start: string): SecretPath | undefined {
    return this.#tombstones.atOrAfter(start);
  }

  /** The secret or the tombstone with the first last change after a position; undefined if there is none. */
  changedAfter(position: Position): Stored | undefined {
    return this.#changes.after(position);
  }

  /** The number of secrets and tombstones whose last changes are after a position. */
  countAfter(position: Position): number {
    return this.#changes.countAfter(position);
  }

  /** Calls `listener`, which must not throw, after each later {@link publish}. It replaces the previous listener. */
  onPublished(listener: PublishedListener): void {
    this.#onPublished = listener;
  }

  /**
   * Makes committed changes visible, in revision order, whether this process or another replica committed them. Entries
   * that are already published are ignored: a journal that several replicas share can also deliver this process's own
   * commits.
   */
  publish(entries: readonly CommittedEntry<Sealed>[]): void {
    const later = entries.filter(({ revision }) => revision > this.#revision);
    for (const { forgotten = 0, timeline } of entries) {
      this.#forgotten = Math.max(this.#forgotten, forgotten);
      if (timeline !== undefined) this.#timelines.begin(timeline);
    }
    for (const { revision, changes } of later) {
      for (const change of changes) {
        this.#apply(change, revision);
        this.#lastTime = Math.max(this.#lastTime, change.time);
      }
      this.#revision = revision;
    }
    this.#onPublished(later);
  }

  /**
   * Returns one shared string for each author: there are few authors, and each occurs often. Without this, the versions
   * that each connection writes would retain another copy of the SPIFFE ID.
   */
  #author(name: string): string {
    const known = this.#authors.get(name);
    if (known !== undefined) return known;
    this.#authors.set(name, name);
    this.#bytes += this.#copies * (name.length + AUTHOR_OVERHEAD);
    return name;
  }

  #apply(change: Change<Sealed>, revision: Revision): void {
    const { path } = change;
    const before = this.#stored.get(path);
    const after = applyChange(before, { ...change, author: this.#author(change.author) }, revision, this.#pack);
    const secrets = { before: secretOf(before), after: secretOf(after) };
    this.#count(secrets.before, -1);
    this.#count(secrets.after, 1);
    if (secrets.before !== undefined) this.#release(secrets.before, change);
    if (secrets.before === undefined && secrets.after !== undefined) this.#index.add(path);
    if (secrets.before !== undefined && secrets.after === undefined) this.#index.remove(path);
    this.#indexTombstone(path, before, after);
    if (before !== undefined) this.#changes.remove(before);
    if (after !== undefined) this.#changes.add(after);
    this.#bytes += this.sizeOf(after) - this.sizeOf(before);
    if (after === undefined) this.#stored.delete(path);
    else this.#stored.set(path, after);
  }

  #indexTombstone(path: SecretPath, before: Stored | undefined, after: Stored | undefined): void {
    if (before?.kind === "tombstone" && after?.kind !== "tombstone") this.#tombstones.remove(path);
    if (before?.kind !== "tombstone" && after?.kind === "tombstone") this.#tombstones.add(path);
    if (before?.kind === "tombstone" && after === undefined)
      this.#forgotten = Math.max(this.#forgotten, before.revision);
  }

  #count(secret: StoredSecret | undefined, sign: 1 | -1): void {
    if (secret === undefined) return;
    this.#secrets += sign;
    this.#versions += sign * secret.versions.length;
  }

  /** Releases the contents that a change has removed. */
  #release(before: StoredSecret, change: Change<Sealed>): void {
    for (const { sealed } of removedFrom(before, change)) if (sealed.length > 0) this.#sealed.release(sealed);
  }
}

/** The versions of a secret whose content a change removes. */
function removedFrom(before: StoredSecret, change: Change<unknown>): readonly Version[] {
  switch (change.kind) {
    case "put":
    case "settings":
      return namedVersions(before, change.pruned);
    case "state":
      if (change.state === "live" || change.state === "deleted") return [];
      return namedVersions(before, change.versions);
    case "purge":
    case "forget":
      return before.versions;
  }
}

function secretOf(stored: Stored | undefined): StoredSecret | undefined {
  return stored?.kind === "secret" ? stored : undefined;
}
