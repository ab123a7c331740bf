import type { SecretPath } from "../domain/secret-path.ts";
import type { CommittedEntry, Revision } from "./journal.ts";
import { PathIndex } from "./path-index.ts";
import { type Secret, applyChange, memoryBytes } from "./secret.ts";

/** How much the store holds. */
export interface StoreTotals {
  readonly secrets: number;
  readonly versions: number;
  /** As `--max-store-bytes` counts them. */
  readonly bytes: number;
}

/** The source of truth: every secret, as of one revision. Only {@link publish} changes it. */
export class Memory {
  readonly #secrets = new Map<SecretPath, Secret>();
  readonly #index = new PathIndex();
  #revision: Revision = 0;
  #lastTime = 0;
  #versions = 0;
  #bytes = 0;

  /** The revision of the last change that is in here. */
  get revision(): Revision {
    return this.#revision;
  }

  /** The time of the latest change, in milliseconds; no later change gets an earlier one. */
  get lastTime(): number {
    return this.#lastTime;
  }

  get totals(): StoreTotals {
    return { secrets: this.#secrets.size, versions: this.#versions, bytes: this.#bytes };
  }

  get(path: SecretPath): Secret | undefined {
    return this.#secrets.get(path);
  }

  /** The first secret whose path is not less than `start`; undefined when there is none. */
  atOrAfter(start: string): Secret | undefined {
    const path = this.#index.atOrAfter(start);
    return path === undefined ? undefined : this.#secrets.get(path);
  }

  /**
   * The one place where a committed change becomes visible, whoever committed it, in revision order. What is in here
   * already is passed over: a feed may bring this process's own commits as well.
   */
  publish(entries: readonly CommittedEntry[]): void {
    for (const { revision, changes } of entries) {
      if (revision <= this.#revision) continue;
      for (const change of changes) {
        this.#replace(change.path, applyChange(this.#secrets.get(change.path), change, revision));
        this.#lastTime = Math.max(this.#lastTime, change.time);
      }
      this.#revision = revision;
    }
  }

  #replace(path: SecretPath, after: Secret): void {
    const before = this.#secrets.get(path);
    if (before === undefined) this.#index.add(path);
    this.#versions += after.versions.length - (before?.versions.length ?? 0);
    this.#bytes += memoryBytes(after) - memoryBytes(before);
    this.#secrets.set(path, after);
  }
}
