import { KeyedQueue } from "../domain/keyed-queue.ts";
import type { SecretGone, WatchedState } from "./secret-events.ts";

/** A secret of a cache has another version, or is no longer there. */
export type CacheChange =
  | {
      /** Always "changed". */
      readonly kind: "changed";
      /** The path of the secret. */
      readonly path: string;
      /** The number of the version that `get` returns now. */
      readonly version: number;
    }
  | {
      /** Always "removed". */
      readonly kind: "removed";
      /** The path of the secret. */
      readonly path: string;
      /** Why `get` fails now. "live": the newest version is live, but the server can't read its content. */
      readonly reason: WatchedState | SecretGone["reason"];
    };

/**
 * The changes of a cache, for one consumer. A slow consumer gets the last change of each path, so the memory is
 * proportional to the number of paths.
 */
export class CacheChanges implements AsyncIterableIterator<CacheChange, undefined> {
  readonly #pending = new KeyedQueue<string, CacheChange>();
  readonly #onReturn: () => void;
  #end: { readonly error: Error | undefined } | undefined;
  #waiting: Promise<void> | undefined;
  #wake = () => {};

  /** @internal */
  constructor(onReturn: (changes: CacheChanges) => void) {
    this.#onReturn = () => onReturn(this);
  }

  /** The next change. Rejects with {@link ClientError} if the watch of the cache has failed for good. */
  async next(): Promise<IteratorResult<CacheChange, undefined>> {
    for (;;) {
      const first = this.#pending.take();
      if (first !== undefined) return { done: false, value: first[1] };
      if (this.#end !== undefined) return this.#finish(this.#end.error);
      this.#waiting ??= new Promise((resolve) => {
        this.#wake = resolve;
      });
      await this.#waiting;
    }
  }

  /** Ends the iteration. */
  async return(): Promise<IteratorResult<CacheChange, undefined>> {
    this.#onReturn();
    this.#pending.clear();
    this.end(undefined);
    return { done: true, value: undefined };
  }

  /** Returns itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @internal */
  add(change: CacheChange): void {
    this.#pending.put(change.path, change);
    this.#wakeAll();
  }

  /** @internal */
  end(error: Error | undefined): void {
    this.#end ??= { error };
    this.#wakeAll();
  }

  #finish(error: Error | undefined): IteratorResult<CacheChange, undefined> {
    this.#end = { error: undefined };
    if (error !== undefined) throw error;
    return { done: true, value: undefined };
  }

  #wakeAll(): void {
    this.#waiting = undefined;
    this.#wake();
  }
}
