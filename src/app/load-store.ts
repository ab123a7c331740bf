import type { Timers } from "../domain/timers.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { CommitObserver } from "../store/group-commit.ts";
import { SecretStore } from "../store/secret-store.ts";
import type { Storage } from "./storage.ts";

/** What loading needs. */
export interface LoadOptions {
  readonly log: Logger;
  readonly timers: Timers;
  readonly metrics: Metrics;
  readonly observer: CommitObserver;
  /** Bytes that the store may take in memory. */
  readonly maxStoreBytes: number;
}

/** Rebuilds the store from its journal, and says how that went. */
export async function loadStore({ journal, sealer }: Storage, options: LoadOptions): Promise<SecretStore> {
  const { log, timers, metrics, observer, maxStoreBytes } = options;
  const begun = timers.elapsed();
  const store = await SecretStore.load({ journal, sealer, observer, timers, maxStoreBytes });
  const seconds = (timers.elapsed() - begun) / 1000;
  metrics.loaded(seconds);
  metrics.observeStore(() => ({ ...store.totals, limit: maxStoreBytes, disk: journal.space() }));
  log.info("store loaded", { ...store.totals, limit: maxStoreBytes, seconds });
  const { bytes } = store.totals;
  if (bytes > maxStoreBytes) {
    log.warn("store above its limit", { bytes, limit: maxStoreBytes, detail: "Puts are refused" });
  }
  return store;
}
