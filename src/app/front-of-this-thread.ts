import { certificateFilter } from "../front/load-filter.ts";
import { createCallLog } from "../front/call-log.ts";
import { budgetMemory, frontConfig } from "../front/front-config.ts";
import { Front } from "../front/front.ts";
import { Fronts } from "../front/fronts.ts";
import { Listeners } from "../front/intake.ts";
import { type LimitedLog, limitLines } from "../observability/limiter.ts";
import { secureRandom } from "../sealing/random.ts";
import { BoundedChanges, MAX_UNANSWERED_CHANGES } from "../store/bounded-changes.ts";
import { ownMemory } from "../store/publication.ts";
import type { SecretStore } from "../store/secret-store.ts";
import { StoreClock } from "../store/store-clock.ts";
import { VersionsInUse } from "../watch/versions-in-use.ts";
import { WatchHub } from "../watch/watch-hub.ts";
import type { FrontHost, FrontParts } from "./front-host.ts";

/** One front, in the thread that has the store. It reads the memory of the store, and nothing is sent anywhere. */
export class FrontOfThisThread implements FrontHost {
  readonly publication = ownMemory();
  readonly watchers: VersionsInUse;
  readonly clock: StoreClock;
  readonly remote = undefined;
  readonly #parts: FrontParts;
  readonly #limited: LimitedLog;
  #fronts: Fronts | undefined;

  constructor(parts: FrontParts) {
    this.#parts = parts;
    const { policy } = parts.resources;
    this.watchers = new VersionsInUse({ memory: this.publication.memory, authorizer: () => policy.current });
    this.clock = new StoreClock(parts.timers);
    this.#limited = limitLines(parts.log, parts.timers);
  }

  async connect(store: SecretStore): Promise<Fronts> {
    const { config: all, resources, log, timers, counters: ofAll } = this.#parts;
    const config = frontConfig(all, 0, 1);
    const counters = ofAll.of(0);
    const { policy } = resources;
    const watches = new WatchHub({
      memory: this.publication.memory,
      sealer: resources.storage.sealer,
      clock: this.clock,
      timers,
      random: secureRandom,
      authorizer: () => policy.current,
      registry: this.watchers,
    });
    policy.onChange(() => watches.policyChanged());
    const front = new Front({
      config,
      intake: new Listeners(config.listen, undefined, log),
      filter: await certificateFilter(log),
      identity: resources.identity,
      authorizer: () => policy.current,
      secrets: store,
      watches,
      watchers: this.watchers,
      changes: new BoundedChanges(store, MAX_UNANSWERED_CHANGES),
      sealer: resources.storage.sealer,
      calls: createCallLog(log, this.#limited, counters),
      counts: counters,
      budgets: budgetMemory(config),
      timers,
    });
    this.#fronts = new Fronts(front);
    return this.#fronts;
  }

  async close(): Promise<void> {
    await this.#fronts?.close();
    this.#limited.summarize();
  }
}
