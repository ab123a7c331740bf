import process from "node:process";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { ConnectionCounts } from "../admission/connection-counts.ts";
import { budgetMemory, frontConfig } from "../front/front-config.ts";
import type { FrontSetup } from "../front/front-setup.ts";
import { startFrontWorker } from "../front/front-worker.ts";
import { Fronts } from "../front/fronts.ts";
import { RemoteFront } from "../front/remote-front.ts";
import type { SharedDelays } from "../observability/shared-delays.ts";
import { unansweredMemory } from "../store/bounded-changes.ts";
import type { SecretStore } from "../store/secret-store.ts";
import { StoreClock, storeClockMemory } from "../store/store-clock.ts";
import { Feed } from "../threads/feed.ts";
import { portOf } from "../threads/port.ts";
import { type RegistryPort, WatchRegistryServer } from "../threads/watch-registry-server.ts";
import { VersionsInUse } from "../watch/versions-in-use.ts";
import { PublicationProgress } from "../threads/publication-progress.ts";
import type { FrontHost, FrontParts } from "./front-host.ts";

/** Several fronts, each in a thread of its own with a replica of the store's memory. */
export class FrontThreads implements FrontHost {
  readonly publication: Feed;
  readonly watchers: VersionsInUse;
  readonly clock: StoreClock;
  readonly remote: Fronts;
  readonly #fronts: readonly RemoteFront[];
  readonly #registryPorts: readonly RegistryPort[];
  #registries: readonly WatchRegistryServer[] = [];

  constructor(parts: FrontParts, delays: SharedDelays) {
    const { config, timers } = parts;
    const { threads } = config;
    const progress = PublicationProgress.of(threads);
    const channels = Array.from({ length: threads }, () => ({
      feed: new MessageChannel(),
      registry: new MessageChannel(),
    }));
    this.publication = new Feed(
      channels.map(({ feed }) => portOf(feed.port1)),
      progress,
      timers,
    );
    const { policy } = parts.resources;
    this.watchers = new VersionsInUse({ memory: this.publication.memory, authorizer: () => policy.current });
    this.#registryPorts = channels.map(({ registry }) => portOf(registry.port1));
    const clock = storeClockMemory();
    this.clock = new StoreClock(timers, clock);
    const shared = {
      progress: progress.memory,
      delays: delays.memory,
      connections: ConnectionCounts.of(threads).memory,
      budgets: budgetMemory(frontConfig(config, 0, threads)).buffer,
      unanswered: unansweredMemory(),
      clock,
    };
    const allDescriptors = descriptorPorts(threads);
    this.#fronts = startAll(
      channels.map((channel, number) => () => {
        const descriptors = allDescriptors[number] ?? new Map<number, MessagePort>();
        const { feed, registry } = channel;
        return startFront(parts, { ...shared, number, feed: feed.port2, registry: registry.port2, descriptors });
      }),
    );
    const [first, ...others] = this.#fronts;
    if (first === undefined) throw new RangeError("a server has at least one front");
    this.remote = new Fronts(first, ...others);
    this.publication.replacePolicy(policy.inForce);
    policy.onChange((inForce) => this.publication.replacePolicy(inForce));
  }

  async connect(store: SecretStore): Promise<Fronts> {
    this.publication.serve(store);
    this.#registries = this.#registryPorts.map((port) => new WatchRegistryServer(port, this.watchers));
    await Promise.all(this.#fronts.map((front) => front.ready()));
    return this.remote;
  }

  async close(): Promise<void> {
    await this.remote.close();
    for (const registry of this.#registries) registry.close();
    this.publication.close();
  }
}

/** Starts the fronts. If one can't be started, ends the others: their threads would keep the process running. */
function startAll(starts: readonly (() => RemoteFront)[]): readonly RemoteFront[] {
  const started: RemoteFront[] = [];
  try {
    for (const start of starts) started.push(start());
  } catch (error) {
    for (const front of started) void front.close();
    throw error;
  }
  return started;
}

type FrontResources = Omit<FrontSetup, "config" | "control" | "counters"> & { readonly number: number };

/** Starts a front that follows the identity from now on. */
function startFront({ config, resources, log, counters }: FrontParts, { number, ...own }: FrontResources): RemoteFront {
  const { identity, storage } = resources;
  const thread = startFrontWorker({
    setup: { ...own, config: frontConfig(config, number, config.threads), counters: counters.memory },
    transferKey: (publicKey) => storage.sealer.transferTo(publicKey),
    env: process.env,
  });
  const front = new RemoteFront(thread, (lines) => log.append(lines));
  front.adoptIdentity(identity.state);
  identity.onState((state) => front.adoptIdentity(state));
  return front;
}

/**
 * The ports of each front for passing descriptors, by the number of the front at the other end. Only the first front is
 * connected to all others.
 */
function descriptorPorts(fronts: number): readonly ReadonlyMap<number, MessagePort>[] {
  const channels = Array.from({ length: fronts - 1 }, () => new MessageChannel());
  const toOthers = new Map(channels.map(({ port1 }, index) => [index + 1, port1]));
  return [toOthers, ...channels.map(({ port2 }) => new Map([[0, port2]]))];
}
