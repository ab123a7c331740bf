import type { ServeConfig } from "../config/serve-config.ts";
import type { Timers } from "../domain/timers.ts";
import type { Fronts } from "../front/fronts.ts";
import type { CallCounters } from "../observability/call-counters.ts";
import type { LogSink } from "../observability/logger.ts";
import type { Publication } from "../store/publication.ts";
import type { SecretStore } from "../store/secret-store.ts";
import type { StoreClock } from "../store/store-clock.ts";
import type { WatcherVersions } from "../store/watch-registry.ts";
import type { Resources } from "./resources.ts";

/** What fronts are created from. */
export interface FrontParts {
  readonly config: ServeConfig;
  readonly resources: Resources;
  readonly log: LogSink;
  readonly timers: Timers;
  readonly counters: CallCounters;
}

/** Creates the fronts of a server. It exists before the store is loaded, so that fronts follow the load. */
export interface FrontHost {
  /** What the store publishes to. */
  readonly publication: Publication;
  /** Which versions the watchers of all fronts use. */
  readonly watchers: WatcherVersions;
  /** The store's clock, whose memory the threads of the fronts share. */
  readonly clock: StoreClock;
  /** The fronts in other threads; undefined if there are none. */
  readonly remote: Fronts | undefined;
  /** Resolves to fronts that can serve the callers of a loaded store. They are not open yet. */
  connect(store: SecretStore): Promise<Fronts>;
  /** Closes every connection and ends the fronts. When it resolves, the store has every change that they have sent. */
  close(): Promise<void>;
}
