import { dirname } from "node:path";
import { type WatchDirectory, watchDirectory } from "./directory-watch.ts";
import type { ObservedFile } from "./observed-file.ts";
import type { Timers } from "../domain/timers.ts";

/** The interval at which the files are read, in milliseconds. Watches are faster, but do not work everywhere. */
const POLL_MS = 1000;

/** How long to wait after a change, in milliseconds, because the writer may not have finished. */
const SETTLE_MS = 100;

/** The options of {@link WatchedFiles}. */
export interface WatchedFilesOptions {
  /**
   * The files form one set. The set is settled when a read of all its files finds no change. Each file was already read
   * when its ObservedFile was created.
   */
  readonly files: readonly ObservedFile[];
  readonly timers: Timers;
  /** Notifies of changes before the next interval. Default: {@link watchDirectory}. */
  readonly watch?: WatchDirectory | undefined;
  /**
   * Called after each read that found no change, about once a second. `areNew` is true if the files have changed since
   * the last call, or {@link WatchedFiles.reload} was called. The callback may close the watch.
   */
  readonly onSettled: (areNew: boolean) => void;
}

/**
 * Watches a set of files that can be rewritten in place, replaced by a rename as editors do, or all replaced together
 * through the link `..data` as Kubernetes does. A changed set counts as new only when two reads in a row found the same
 * content.
 */
export class WatchedFiles {
  readonly #options: WatchedFilesOptions;
  readonly #stopWatching: readonly (() => void)[];
  #areNew = false;
  /** Whether a notification has scheduled the next read. */
  #hinted = false;
  #isClosed = false;
  #stopWaiting = () => {};

  /** Starts watching. */
  constructor(options: WatchedFilesOptions) {
    const { files, watch = watchDirectory } = options;
    this.#options = options;
    // Watch the directories of the given paths and not of their targets: that is where Kubernetes replaces the link.
    const directories = new Set(files.map(({ path }) => dirname(path)));
    this.#stopWatching = [...directories].map((directory) => watch(directory, () => this.#onHint()));
    this.#lookIn(POLL_MS);
  }

  /** Reads the files soon, and reports them as new even if they have not changed. */
  reload(): void {
    this.#areNew = true;
    this.#onHint();
  }

  /** Stops watching. */
  close(): void {
    this.#isClosed = true;
    this.#stopWaiting();
    for (const stop of this.#stopWatching) stop();
  }

  /**
   * Waits from the first notification on and not from the last one, because in a busy directory the notifications may
   * never stop.
   */
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
