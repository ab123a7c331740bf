import type { Content } from "../domain/content.ts";
import { contentUnreadable, secretNotFound, versionDeleted, versionNotFound } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { Timers } from "../domain/timers.ts";
import { versionContext } from "../sealing/context.ts";
import { SealBroken, type Sealer } from "../sealing/sealer.ts";
import { decodeContent } from "./content-format.ts";
import type { Revision } from "./journal.ts";
import { findPage, type ListPage, type ListQuery } from "./listing.ts";
import type { ReadableMemory, StoreTotals } from "./memory.ts";
import { type StoredSecret, type Version, findVersion, newest } from "./secret.ts";
import { ThreadShare } from "./thread-share.ts";

/** A version with its decrypted content. */
export interface OpenedVersion {
  readonly version: Version;
  readonly content: Content;
}

/** The options of a {@link SecretReader}. */
export interface ReaderOptions {
  readonly memory: ReadableMemory;
  readonly sealer: Sealer;
  readonly timers: Timers;
  /** Called before each read: brings the memory up to every change that was answered anywhere. */
  readonly catchUp: () => void;
}

/** Reads secrets from memory. */
export class SecretReader {
  readonly #options: ReaderOptions;
  readonly #lists: ThreadShare;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#lists = new ThreadShare(options.timers);
  }

  get totals(): StoreTotals {
    return this.#options.memory.totals;
  }

  /** The revision of the last visible change. */
  get revision(): Revision {
    return this.#options.memory.revision;
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

  /** The secret with all its versions, still sealed. Throws SECRET_NOT_FOUND. */
  describe(path: SecretPath): StoredSecret {
    this.#options.catchUp();
    const secret = this.#options.memory.get(path);
    if (secret === undefined) throw secretNotFound(path);
    return secret;
  }

  /**
   * One page of the secrets whose newest version is not deleted. Other calls are served while it is found. Rejects with
   * DEADLINE_EXCEEDED once `isOver` returns true because the caller no longer waits.
   */
  list(query: ListQuery, isOver: () => boolean): Promise<ListPage> {
    this.#options.catchUp();
    return this.#lists.run({ steps: findPage(this.#options.memory, query), isOver });
  }

  #open(path: SecretPath, version: Version): Content {
    try {
      const sealed = version.sealed.bytes();
      return decodeContent(this.#options.sealer.open(sealed, versionContext(path, version.number)));
    } catch (cause) {
      // Any other error is a bug in Coffer. CONTENT_UNREADABLE would make the operator look for damage on the disk.
      if (!(cause instanceof SealBroken || cause instanceof RangeError)) throw cause;
      throw contentUnreadable(path, version.number, cause);
    }
  }
}
