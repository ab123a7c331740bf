import type { ServeConfig } from "../config/serve-config.ts";
import type { Timers } from "../domain/timers.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { ChangeAuthorization } from "../store/change-authorization.ts";
import type { CommitObserver } from "../store/group-commit.ts";
import type { Publication } from "../store/publication.ts";
import { SecretStore } from "../store/secret-store.ts";
import type { StoreClock } from "../store/store-clock.ts";
import type { WatcherVersions } from "../store/watch-registry.ts";
import type { Storage } from "./storage.ts";

/** The dependencies of {@link loadStore}. */
export interface LoadOptions {
  readonly log: Logger;
  readonly timers: Timers;
  readonly metrics: Metrics;
  readonly observer: CommitObserver;
  readonly clock: StoreClock;
  /** The limits of the store, and how long it keeps tombstones. */
  readonly limits: Pick<ServeConfig, "maxStoreBytes" | "maxContentBytes" | "maxRequestIds" | "tombstoneRetentionMs">;
  /** Makes what is loaded, and every later change, visible. */
  readonly publication: Publication;
  /** Which versions the watchers of secrets use. */
  readonly watchers: WatcherVersions;
  /** Authorizes each command when its group begins. */
  readonly authorize: ChangeAuthorization;
}

/** Loads the store from its journal, and records the result in the log and the metrics. */
export async function loadStore({ journal, sealer }: Storage, options: LoadOptions): Promise<SecretStore> {
  const { log, timers, metrics, observer, clock, limits, publication, watchers, authorize } = options;
  const { maxStoreBytes, maxContentBytes, maxRequestIds, tombstoneRetentionMs } = limits;
  const begun = timers.elapsed();
  const store = await SecretStore.load({
    ...{ journal, sealer, observer, timers, clock, publication, watchers, authorize },
    ...{ maxStoreBytes, maxContentBytes, maxRequestIds, tombstoneRetentionMs },
  });
  const seconds = (timers.elapsed() - begun) / 1000;
  metrics.loaded(seconds);
  metrics.observeStore(() => {
    const { totals, requestIds } = store;
    return { ...totals, requestIds, limit: maxStoreBytes, disk: journal.space() };
  });
  const { secrets, versions, bytes } = store.totals;
  log.info("store loaded", { secrets, versions, bytes, limit: maxStoreBytes, seconds });
  if (bytes > maxStoreBytes) {
    log.warn("store above its limit", { bytes, limit: maxStoreBytes, detail: "Puts that grow it are refused" });
  }
  return store;
}
