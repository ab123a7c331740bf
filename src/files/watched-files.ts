import { dirname } from "node:path";
import { type WatchDirectory, watchDirectory } from "./directory-watch.ts";
import type { ObservedFile } from "./observed-file.ts";
import type { Timers } from "../domain/timers.ts";

/** How often the files are looked at, in milliseconds. Watching them is quicker, and does not work everywhere. */
const POLL_MS = 1000;

/** How long files that have just changed are left alone, in milliseconds: whoever writes them may not be finished. */
const SETTLE_MS = 100;

/** What is watched, and who is told. */
export interface WatchedFilesOptions {
  /** They are one set: none of them is settled before all are. Each has been looked at before. */
  readonly files: readonly ObservedFile[];
  readonly timers: Timers;
  /** How to hear of changes sooner; {@link watchDirectory} by default. */
  readonly watch?: WatchDirectory | undefined;
  /**
   * Called after each look that found the same as the one before, so about once a second. `areNew`: what they hold has
   * changed since the last call, or somebody has asked for it to be read again. May close the watch.
   */
  readonly onSettled: (areNew: boolean) => void;
}

/**
 * Files that are looked at again and again: rewritten in place, replaced by a rename as editors do, or swapped all at
 * once through the link `..data` as Kubernetes does. Nothing is to be read out of them until two looks have found them
 * the same.
 */
export class WatchedFiles {
  readonly #options: WatchedFilesOptions;
  readonly #stopWatching: readonly (() => void)[];
  #areNew = false;
  /** Whether a hint has brought the next look forward. */
  #hinted = false;
  #isClosed = false;
  #stopWaiting = () => {};

  /** Begins to look. */
  constructor(options: WatchedFilesOptions) {
    const { files, watch = watchDirectory } = options;
    this.#options = options;
    // By the names that were given: where those are links, Kubernetes swaps what they lead through there.
    const directories = new Set(files.map(({ path }) => dirname(path)));
    this.#stopWatching = [...directories].map((directory) => watch(directory, () => this.#onHint()));
    this.#lookIn(POLL_MS);
  }

  /** Looks soon, and has the files read again even if they are as they were. */
  reload(): void {
    this.#areNew = true;
    this.#onHint();
  }

  /** Looks no more. */
  close(): void {
    this.#isClosed = true;
    this.#stopWaiting();
    for (const stop of this.#stopWatching) stop();
  }

  /** Counted from the first hint: in a busy directory there may never be a last one. */
  #onHint(): void {
    if (this.#hinted) return;
    this.#hinted = true;
    this.#lookIn(SETTLE_MS);
  }

  #lookIn(ms: number): void {
    if (this.#isClosed) return;
    this.#stopWaiting();
    this.#stopWaiting = this.#options.timers.delay(ms, () => this.#look());
  }

  #look(): void {
    this.#hinted = false;
    const { files, onSettled } = this.#options;
    if (files.map((file) => file.look()).includes(true)) {
      this.#areNew = true;
      this.#lookIn(SETTLE_MS);
      return;
    }
    const areNew = this.#areNew;
    this.#areNew = false;
    this.#lookIn(POLL_MS);
    onSettled(areNew);
  }
}
