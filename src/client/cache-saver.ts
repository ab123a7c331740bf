import type { Timers } from "../domain/timers.ts";
import type { CacheFile, CacheSnapshot, LoadedCache } from "./cache-file.ts";
import { CacheFileError } from "./cache-file-error.ts";

// Milliseconds.
/** How long to wait after a change, so that a burst of changes causes one write. */
const AFTER_CHANGE_MS = 1000;
/** The time between two writes while no secret changes. Each write updates the time at which the server confirmed them. */
const AFTER_CONFIRMATION_MS = 5 * 60_000;

/** Loads the sealed file of a cache, and decides when it is written. After a failure, the cache works without it. */
export class CacheSaver {
  readonly #file: Pick<CacheFile, "load" | "save" | "close">;
  readonly #timers: Pick<Timers, "elapsed" | "delay">;
  readonly #snapshot: () => CacheSnapshot;
  #problem: CacheFileError | undefined;
  #due = Number.POSITIVE_INFINITY;
  #cancel = () => {};
  #saving = Promise.resolve();
  #isClosed = false;

  /** `snapshot` returns what a write saves. */
  constructor(
    file: Pick<CacheFile, "load" | "save" | "close">,
    timers: Pick<Timers, "elapsed" | "delay">,
    snapshot: () => CacheSnapshot,
  ) {
    this.#file = file;
    this.#timers = timers;
    this.#snapshot = snapshot;
  }

  /** Why the file could not be loaded, or why the last write failed. */
  get problem(): CacheFileError | undefined {
    return this.#problem;
  }

  /** The content of the file; undefined if there is none, or if it can't be used. */
  async load(): Promise<LoadedCache | undefined> {
    return this.#attempt(() => this.#file.load());
  }

  /** A secret has changed. */
  changed(): void {
    this.#schedule(AFTER_CHANGE_MS);
  }

  /** The server has confirmed the secrets. */
  confirmed(): void {
    this.#schedule(AFTER_CONFIRMATION_MS);
  }

  /** Writes what is not saved yet, and nothing after that. */
  async close(): Promise<void> {
    if (this.#due !== Number.POSITIVE_INFINITY) this.#save();
    this.#isClosed = true;
    await this.#saving;
    this.#file.close();
  }

  #schedule(ms: number): void {
    const due = this.#timers.elapsed() + ms;
    if (this.#isClosed || this.#due <= due) return;
    this.#cancel();
    this.#due = due;
    this.#cancel = this.#timers.delay(ms, () => this.#save());
  }

  #save(): void {
    this.#cancel();
    this.#due = Number.POSITIVE_INFINITY;
    this.#saving = this.#saving.then(() => this.#attempt(() => this.#file.save(this.#snapshot())));
  }

  async #attempt<Result>(task: () => Promise<Result>): Promise<Result | undefined> {
    try {
      const result = await task();
      this.#problem = undefined;
      return result;
    } catch (error) {
      if (!(error instanceof CacheFileError)) throw error;
      this.#problem = error;
      return undefined;
    }
  }
}
