import type { Authorizer } from "../authorization/authorizer.ts";
import { revisionAhead } from "../domain/errors.ts";
import type { Timers } from "../domain/timers.ts";
import type { RandomFill } from "../sealing/random.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { CommittedEntry } from "../store/journal.ts";
import type { WatchableMemory } from "../store/memory.ts";
import type { WatchRegistry } from "../store/watch-registry.ts";
import type { StoreClock } from "../store/store-clock.ts";
import { EventMaker } from "./event-maker.ts";
import { Heartbeats } from "./heartbeats.ts";
import { Rota } from "./rota.ts";
import { WATCH_LIMITS, type WatchLimits } from "./watch-limits.ts";
import { WatcherIndex } from "./watcher-index.ts";
import type { RequestedWatch, WatchSink, WatchingCaller } from "./watcher-options.ts";
import { Watcher } from "./watcher.ts";

const WATCH_ID_BYTES = 16;

/** What a {@link WatchHub} needs. */
export interface WatchHubOptions {
  readonly memory: WatchableMemory;
  readonly sealer: Sealer;
  readonly clock: Pick<StoreClock, "now">;
  readonly timers: Pick<Timers, "clock" | "elapsed" | "afterTurn" | "delay">;
  readonly random: RandomFill;
  /**
   * Brings the memory up to every change that any thread of the server has answered, and returns the current authorizer.
   * {@link WatchHub.policyChanged} has to be called after each change of the policy, before this returns.
   */
  readonly authorizer: () => Authorizer;
  /** Learns of each watch before its first event is sent. */
  readonly registry: WatchRegistry;
  /** Default: {@link WATCH_LIMITS}. */
  readonly limits?: WatchLimits;
}

/** A watch that has begun. */
export interface Watch {
  /** Ends the watch. Has to be called when the caller stops watching. */
  end(): void;
}

/** The watchers of one thread, which follow the memory of this thread. */
export class WatchHub {
  readonly #options: WatchHubOptions;
  readonly #events: EventMaker;
  readonly #watchers = new Set<Watcher>();
  readonly #index = new WatcherIndex<Watcher>();
  readonly #rota: Rota<Watcher>;
  readonly #heartbeats: Heartbeats<Watcher>;

  constructor(options: WatchHubOptions) {
    this.#options = options;
    this.#events = new EventMaker(options);
    this.#rota = new Rota(options.timers);
    this.#heartbeats = new Heartbeats(options.timers);
    options.memory.onPublished((entries) => this.#published(entries));
  }

  /** The number of watches. */
  get count(): number {
    return this.#watchers.size;
  }

  /**
   * Begins a watch. It is registered before its first event: otherwise its caller could see an event, and a change that
   * requires that all watchers use the newest version could still ignore this watcher. `createSink` gets the function to
   * call when the sink has space again. Throws REVISION_AHEAD if the caller has seen changes that this store does not
   * have, and names no timeline. A caller that names one gets a snapshot instead.
   */
  begin(caller: WatchingCaller, request: RequestedWatch, createSink: (wake: () => void) => WatchSink): Watch {
    const { memory, timers, authorizer, registry, limits = WATCH_LIMITS } = this.#options;
    const { revision, seen } = request.from;
    if (seen.timeline === "" && revision > memory.revision) throw revisionAhead(memory.revision);
    const watchId = this.#watchId();
    let isRegistered = false;
    const wake = () => {
      if (isRegistered && this.#watchers.has(watcher)) this.#rota.add(watcher);
    };
    const watcher: Watcher = new Watcher({
      ...{ caller, request, memory, wake, limits, watchId },
      sink: createSink(wake),
      events: this.#events,
      clock: timers.clock,
      authorizer,
    });
    this.#add(watcher);
    const { paths, prefixes } = request.scope;
    registry.opened({ watchId, caller: caller.id.toString(), paths, prefixes }, () => {
      isRegistered = true;
      wake();
    });
    return { end: () => this.#remove(watcher) };
  }

  /** Sends each watcher what it may see from now on, and REVOKED for what it may no longer see. */
  policyChanged(): void {
    for (const watcher of this.#watchers) watcher.policyChanged();
  }

  #add(watcher: Watcher): void {
    this.#watchers.add(watcher);
    this.#index.add(watcher);
    this.#heartbeats.add(watcher);
  }

  #remove(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher)) return;
    this.#index.delete(watcher);
    this.#rota.delete(watcher);
    this.#heartbeats.delete(watcher);
    watcher.close();
    this.#options.registry.closed(watcher.watchId);
  }

  /** Notifies the watchers of the changed paths, in the order of revisions, and of paths within a revision. */
  #published(entries: readonly CommittedEntry<unknown>[]): void {
    if (this.#watchers.size === 0) return;
    for (const { revision, changes } of entries) {
      const paths = new Set(changes.map(({ path }) => path));
      for (const path of paths.size === 1 ? paths : [...paths].sort()) {
        this.#index.forEach(path, (watcher) => watcher.changed(path, revision));
      }
    }
  }

  #watchId(): string {
    const id = Buffer.alloc(WATCH_ID_BYTES);
    this.#options.random(id);
    return id.toString("base64url");
  }
}
