import type { Content } from "../domain/content.ts";
import { contentUnreadable, secretNotFound, versionDeleted, versionNotFound } from "../domain/errors.ts";
import type { PathPrefix, SecretPath } from "../domain/secret-path.ts";
import type { Timers } from "../domain/timers.ts";
import { versionContext } from "../sealing/context.ts";
import { SealBroken, type Sealer } from "../sealing/sealer.ts";
import { decodeContent } from "./content-format.ts";
import { type CommitObserver, GroupCommit } from "./group-commit.ts";
import type { CheckpointMode, Journal, Revision } from "./journal.ts";
import { Memory, type StoreTotals } from "./memory.ts";
import {
  type DeleteRequest,
  type DeleteResult,
  type PutRequest,
  type PutResult,
  deleteOperation,
  putOperation,
} from "./operation.ts";
import { type Secret, type Version, findVersion, newest } from "./secret.ts";

// A page of List looks at this many secrets at most: a caller who may list few of many must not hold up the others.
const MAX_EXAMINED = 10_000;

/** What a store is made of. */
export interface StoreParts {
  readonly journal: Journal;
  readonly sealer: Sealer;
  readonly observer: CommitObserver;
  readonly timers: Timers;
  /** Bytes of memory beyond which Puts are refused. */
  readonly maxStoreBytes: number;
}

/** A version with its content opened. */
export interface OpenedVersion {
  readonly version: Version;
  readonly content: Content;
}

/** A question for one page of secrets. */
export interface ListQuery {
  readonly prefix: PathPrefix;
  /** The page begins after this path; undefined: at the beginning. */
  readonly after: string | undefined;
  readonly limit: number;
  /** Whether the caller may see a path. */
  readonly admits: (path: SecretPath) => boolean;
}

/** One page of secrets. */
export interface ListPage {
  readonly secrets: readonly Secret[];
  /** The path after which the next page begins; undefined: there is none. */
  readonly next: SecretPath | undefined;
}

/** The secrets: reads from memory, changes through the journal. */
export class SecretStore {
  readonly #parts: StoreParts;
  readonly #memory: Memory;
  readonly #commits: GroupCommit;

  private constructor(parts: StoreParts, memory: Memory) {
    this.#parts = parts;
    this.#memory = memory;
    this.#commits = new GroupCommit(memory, parts.journal, parts.observer, parts.timers);
  }

  /** Rebuilds memory from the journal. Throws what the journal throws: a store that can't be trusted is not served. */
  static async load(parts: StoreParts): Promise<SecretStore> {
    const memory = new Memory();
    for await (const entries of parts.journal.load()) memory.publish(entries);
    return new SecretStore(parts, memory);
  }

  get totals(): StoreTotals {
    return this.#memory.totals;
  }

  /** The revision of the last change that is visible. */
  get revision(): Revision {
    return this.#memory.revision;
  }

  /** Adds a version. Rejects with VERSION_MISMATCH, STORE_FULL, and the errors of a commit. */
  put(request: PutRequest): Promise<PutResult> {
    return this.#commits.submit(putOperation(request, this.#parts.sealer, this.#parts.maxStoreBytes));
  }

  /** Marks versions as deleted. Rejects with SECRET_NOT_FOUND, VERSION_NOT_FOUND, VERSION_MISMATCH, and as put. */
  delete(request: DeleteRequest): Promise<DeleteResult> {
    return this.#commits.submit(deleteOperation(request));
  }

  /** Opens a version; 0: the newest. Throws SECRET_NOT_FOUND, VERSION_NOT_FOUND, VERSION_DELETED, CONTENT_UNREADABLE. */
  get(path: SecretPath, number: number): OpenedVersion {
    const secret = this.describe(path);
    const version = number === 0 ? newest(secret) : findVersion(secret, number);
    if (version === undefined) throw versionNotFound(path, number);
    if (version.state.kind === "deleted") throw versionDeleted(path, version.number);
    return { version, content: this.#open(path, version) };
  }

  #open(path: SecretPath, version: Version): Content {
    try {
      return decodeContent(this.#parts.sealer.open(version.sealed, versionContext(path, version.number)));
    } catch (cause) {
      // Anything else is a fault of ours, and to call it damage would send an operator to look for it on the disk.
      if (!(cause instanceof SealBroken || cause instanceof RangeError)) throw cause;
      throw contentUnreadable(path, version.number, cause);
    }
  }

  /** A secret with all its versions, sealed as they are. Throws SECRET_NOT_FOUND. */
  describe(path: SecretPath): Secret {
    const secret = this.#memory.get(path);
    if (secret === undefined) throw secretNotFound(path);
    return secret;
  }

  /** One page of the secrets whose newest version is not deleted. */
  list({ prefix, after, limit, admits }: ListQuery): ListPage {
    const found: Secret[] = [];
    let examined = 0;
    let last: SecretPath | undefined;
    for (const secret of this.#memory.from(after ?? prefix, after === undefined)) {
      if (!secret.path.startsWith(prefix)) break;
      if (found.length === limit || examined === MAX_EXAMINED) return { secrets: found, next: last };
      examined += 1;
      last = secret.path;
      if (newest(secret).state.kind === "live" && admits(secret.path)) found.push(secret);
    }
    return { secrets: found, next: undefined };
  }

  /** Folds committed changes into their final place; see {@link Journal.checkpoint}. */
  checkpoint(mode: CheckpointMode): void {
    this.#parts.journal.checkpoint(mode);
  }
}
