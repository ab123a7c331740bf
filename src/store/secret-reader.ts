import type { Content } from "../domain/content.ts";
import { secretNotFound } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { Timers } from "../domain/timers.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { decodeContent } from "./content-format.ts";
import type { Revision } from "./revision.ts";
import { type ListPage, type ListQuery, findPage } from "./listing.ts";
import type { ReadableMemory, StoreTotals } from "./memory.ts";
import { openVersion, readableVersion } from "./readable-version.ts";
import type { Reads, Snapshot } from "./reads.ts";
import type { StoredSecret, Version } from "./secret.ts";
import type { StoreClock } from "./store-clock.ts";
import { ThreadShare } from "./thread-share.ts";

/** The options of a {@link SecretReader}. */
export interface ReaderOptions {
  readonly memory: ReadableMemory;
  readonly sealer: Sealer;
  readonly timers: Timers;
  readonly clock: StoreClock;
}

/** Reads secrets from memory. */
export class SecretReader implements Reads {
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

  snapshot(): Snapshot {
    return new MemorySnapshot(this.#options);
  }

  list(query: ListQuery, isOver: () => boolean): Promise<ListPage> {
    const { memory, clock } = this.#options;
    return this.#lists.run({ steps: findPage(memory, query, clock.now()), isOver });
  }
}

/** What the memory contains in this turn of the event loop. */
class MemorySnapshot implements Snapshot {
  readonly #options: ReaderOptions;
  readonly revision: Revision;
  #time: number | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.revision = options.memory.revision;
  }

  get time(): number {
    this.#time ??= this.#options.clock.now();
    return this.#time;
  }

  secret(path: SecretPath): StoredSecret {
    const stored = this.#options.memory.get(path);
    if (stored?.kind !== "secret") throw secretNotFound(path);
    return stored;
  }

  version(path: SecretPath, number: number): Version {
    return readableVersion(this.secret(path), number, this);
  }

  open(path: SecretPath, version: Version): Content {
    return openVersion(this.#options.sealer, path, version, decodeContent);
  }
}
