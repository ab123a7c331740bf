import type { Authorizer } from "../authorization/authorizer.ts";
import type { CofferError } from "../domain/errors.ts";
import type { Principal } from "../spiffe/principal.ts";
import type { WatchableMemory } from "../store/memory.ts";
import type { Bookmark } from "./bookmark.ts";
import type { EventMaker } from "./event-maker.ts";
import type { HeldMemory } from "./pending-paths.ts";
import type { WatchQuery } from "./sight.ts";
import type { WatchLimits } from "./watch-limits.ts";
import type { WatchEvent } from "./watch-event.ts";

/** The caller of a watch. */
export interface WatchingCaller extends Principal {
  /** When its SVID expires, in milliseconds since the epoch. It can change. */
  readonly validUntil: number;
}

/** Where the events of a watcher go. */
export interface WatchSink extends HeldMemory {
  /** Whether the caller has stopped watching. */
  readonly isOver: boolean;
  /**
   * Whether an event with this number of bytes of content may be sent now. If not, the watcher has to be woken when it
   * may.
   */
  fits(bytes: number): boolean;
  send(event: WatchEvent): void;
  /** Ends the watch. */
  fail(error: CofferError): void;
}

/** What a watch begins with. */
export interface RequestedWatch extends WatchQuery {
  readonly from: Bookmark;
}

/** What a watcher needs. */
export interface WatcherOptions {
  readonly watchId: string;
  readonly caller: WatchingCaller;
  readonly request: RequestedWatch;
  readonly sink: WatchSink;
  readonly memory: WatchableMemory;
  readonly events: EventMaker;
  readonly clock: () => number;
  /** See WatchHubOptions. */
  readonly authorizer: () => Authorizer;
  readonly limits: WatchLimits;
  /** Requests a call of {@link Stepwise.step}. */
  readonly wake: () => void;
}
