import type { SecretPath } from "../domain/secret-path.ts";
import type { CommittedEntry, Revision } from "./journal.ts";
import { PathIndex } from "./path-index.ts";
import type { Change } from "./change.ts";
import type { SealedContents } from "./sealed-contents.ts";
import { AUTHOR_OVERHEAD, type StoredSecret, applyChange, findVersion, memoryBytes } from "./secret.ts";

/** The number of secrets and versions in the store, and its size. */
export interface StoreTotals {
  readonly secrets: number;
  readonly versions: number;
  /** Bytes of memory, as `--max-store-bytes` counts them. */
  readonly bytes: number;
}

/** What reads use of {@link Memory}. */
export type ReadableMemory = Pick<Memory, "get" | "atOrAfter" | "totals" | "revision">;

/** All secrets, at one revision. Reads use nothing else, and only {@link publish} changes it. */
export class Memory<Sealed = Buffer> {
  readonly #secrets = new Map<SecretPath, StoredSecret>();
  readonly #index = new PathIndex();
  readonly #sealed: SealedContents<Sealed>;
  readonly #pack = (sealed: Sealed) => this.#sealed.add(sealed);
  readonly #copies: number;
  readonly #authors = new Map<string, string>();
  #revision: Revision = 0;
  #lastTime = 0;
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

  /** The time of the latest change, in milliseconds. No later change gets an earlier time. */
  get lastTime(): number {
    return this.#lastTime;
  }

  get totals(): StoreTotals {
    return { secrets: this.#secrets.size, versions: this.#versions, bytes: this.#bytes };
  }

  /** The size of a secret in bytes of memory, as {@link totals} counts it. */
  sizeOf(secret: StoredSecret | undefined): number {
    return secret === undefined ? 0 : memoryBytes(secret, this.#copies);
  }

  get(path: SecretPath): StoredSecret | undefined {
    return this.#secrets.get(path);
  }

  /** The first secret whose path is not less than `start`; undefined if there is none. */
  atOrAfter(start: string): StoredSecret | undefined {
    const path = this.#index.atOrAfter(start);
    return path === undefined ? undefined : this.#secrets.get(path);
  }

  /**
   * Makes committed changes visible, in revision order, whether this process or another replica committed them. Entries
   * that are already published are ignored: a journal that several replicas share can also deliver this process's own
   * commits.
   */
  publish(entries: readonly CommittedEntry<Sealed>[]): void {
    for (const { revision, changes } of entries) {
      if (revision <= this.#revision) continue;
      for (const change of changes) {
        this.#apply(change, revision);
        this.#lastTime = Math.max(this.#lastTime, change.time);
      }
      this.#revision = revision;
    }
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
    const before = this.#secrets.get(path);
    const after = applyChange(before, { ...change, author: this.#author(change.author) }, revision, this.#pack);
    if (before === undefined) this.#index.add(path);
    for (const version of before?.versions ?? []) {
      if (findVersion(after, version.number) === undefined) this.#sealed.release(version.sealed);
    }
    this.#versions += after.versions.length - (before?.versions.length ?? 0);
    this.#bytes += this.sizeOf(after) - this.sizeOf(before);
    this.#secrets.set(path, after);
  }
}
