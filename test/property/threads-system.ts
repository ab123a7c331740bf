import type { Authorizer } from "../../src/authorization/authorizer.ts";
import { SecretReader } from "../../src/store/secret-reader.ts";
import type { Timers } from "../../src/domain/timers.ts";
import type { Sealer } from "../../src/sealing/sealer.ts";
import type { Changes } from "../../src/store/changes.ts";
import type { Snapshot } from "../../src/store/reads.ts";
import { SecretStore } from "../../src/store/secret-store.ts";
import { StoreClock, storeClockMemory } from "../../src/store/store-clock.ts";
import { Feed, type FrontPort } from "../../src/threads/feed.ts";
import type { FeedMessage } from "../../src/threads/port-messages.ts";
import type { ChangesMessage } from "../../src/threads/requests.ts";
import { PublicationProgress } from "../../src/threads/publication-progress.ts";
import { Replica } from "../../src/threads/replica.ts";
import { plainSealer } from "../support/plain-sealer.ts";
import { type SimulatedThread, type Simulation, simulatedChannel } from "../support/simulated-threads.ts";
import { SlowJournal } from "./slow-journal.ts";
import { PolicyHistory } from "./threads-policies.ts";

/** A front, and what the callers on it use. */
export interface SimulatedFront {
  readonly thread: SimulatedThread;
  readonly replica: Replica;
  readonly reader: SecretReader;
  /** Begins each call. */
  readonly authorizer: () => Authorizer;
  /** Begins a call that reads several secrets. The result returns the snapshot from which to read the next secret. */
  readonly snapshotOfCall: () => () => Snapshot;
}

/** A store thread and its fronts. */
export interface SimulatedSystem {
  readonly fronts: readonly SimulatedFront[];
  /** The memory of all chunks that were ever created. */
  readonly chunks: ReadonlySet<SharedArrayBuffer>;
  readonly policies: PolicyHistory;
}

/** The most policies that replace each other in one run. */
const MOST_POLICIES = 20;

/** The parts of a system that touch what the threads share. A test breaks the system by replacing one of them. */
export class SystemParts {
  readonly simulation: Simulation;
  /** What happened in the run, so that a test can check that its runs include it. */
  readonly seen: Set<string>;

  constructor(simulation: Simulation, seen: Set<string>) {
    this.simulation = simulation;
    this.seen = seen;
  }

  storeProgress(memory: SharedArrayBuffer, store: SimulatedThread): PublicationProgress {
    return new InterruptedProgress(memory, store, this);
  }

  frontProgress(memory: SharedArrayBuffer, front: SimulatedThread): PublicationProgress {
    return new InterruptedProgress(memory, front, this);
  }

  storePort(port: FrontPort, _store: SimulatedThread): FrontPort {
    return port;
  }

  authorizer({ authorizer }: Replica, _front: SimulatedThread): () => Authorizer {
    return authorizer;
  }

  /** A call reads all secrets from one snapshot. */
  snapshotOfCall(reader: SecretReader, _replica: Replica): () => Snapshot {
    const snapshot = reader.snapshot();
    return () => snapshot;
  }

  /** What the store does with the commands of callers. */
  changes(store: Changes): Changes {
    return store;
  }

  createFeed(ports: readonly FrontPort[], progress: PublicationProgress, timers: Timers): Feed {
    return new Feed(ports, progress, timers);
  }
}

/** Creates a store thread and fronts, connected as in a server. `first` is the number before the first publication. */
export async function createSystem(parts: SystemParts, fronts: number, first: number): Promise<SimulatedSystem> {
  const { simulation } = parts;
  const store = simulation.thread();
  const memory = PublicationProgress.of(fronts).memory;
  new Int32Array(memory).fill(first);
  const ports: FrontPort[] = [];
  const chunks = new Set<SharedArrayBuffer>();
  const clock = storeClockMemory();
  const system = Array.from({ length: fronts }, (_, front) => {
    // Some fronts seldom run, and some seldom process messages, except when they must.
    const speed = simulation.chance(0.3) ? 0.005 : 1;
    const thread = simulation.thread({ speed, attention: simulation.chance(0.3) ? 0.02 : 0.5 });
    const [upper, lower] = simulatedChannel<ChangesMessage, FeedMessage>(simulation, [store, thread]);
    ports.push(parts.storePort(observed(upper, parts, chunks), store));
    const receive = () => {
      const message = lower.receive();
      if (message !== undefined) parts.seen.add(message.kind === "policy" ? "drained policy" : "drained");
      return message;
    };
    return frontOn({ ...lower, receive }, front, {
      ...{ thread, parts, clock: new StoreClock(thread.timers, clock) },
      progress: parts.frontProgress(memory, thread),
    });
  });
  const feed = parts.createFeed(ports, parts.storeProgress(memory, store), store.timers);
  const loaded = await SecretStore.load({
    journal: new SlowJournal(parts, store),
    sealer: plainSealer,
    observer: { committed: () => {}, queued: () => {}, failed: (cause) => simulation.faults.push(String(cause)) },
    timers: store.timers,
    clock: new StoreClock(store.timers, clock),
    maxStoreBytes: Number.MAX_SAFE_INTEGER,
    maxContentBytes: Number.MAX_SAFE_INTEGER,
    maxRequestIds: Number.MAX_SAFE_INTEGER,
    tombstoneRetentionMs: Number.MAX_SAFE_INTEGER,
    publication: feed,
  });
  feed.serve(parts.changes(loaded));
  const policies = new PolicyHistory();
  policies.begin(simulation, store, feed, simulation.below(MOST_POLICIES));
  return { fronts: system, chunks, policies };
}

function frontOn(
  port: ReturnType<typeof simulatedChannel<ChangesMessage, FeedMessage>>[1],
  front: number,
  { thread, progress, parts, clock }: FrontParts,
): SimulatedFront {
  const { timers } = thread;
  const replica = new Replica({ port, progress, front, timers });
  const sealer = interrupted(plainSealer, () => parts.simulation.preempt(thread));
  const { memory } = replica;
  const reader = new SecretReader({ memory, sealer, timers, clock });
  const authorizer = parts.authorizer(replica, thread);
  return { thread, replica, reader, authorizer, snapshotOfCall: () => parts.snapshotOfCall(reader, replica) };
}

interface FrontParts {
  readonly thread: SimulatedThread;
  readonly progress: PublicationProgress;
  readonly parts: SystemParts;
  readonly clock: StoreClock;
}

/** A front can be interrupted after it found the sealed bytes, and before it reads them. */
function interrupted(sealer: Sealer, interrupt: () => void): Sealer {
  return {
    ...sealer,
    open(sealed, context) {
      interrupt();
      return sealer.open(sealed, context);
    },
  };
}

function observed(port: FrontPort, { seen }: SystemParts, chunks: Set<SharedArrayBuffer>): FrontPort {
  return {
    ...port,
    post(message, transfer) {
      if (message.kind === "publication") {
        if (message.number < 0) seen.add("wrapped");
        for (const { memory } of message.chunks?.created ?? []) chunks.add(memory);
        if (message.chunks?.moves.numbers.length) seen.add("moved");
        if (message.chunks?.dropped.length) seen.add("dropped");
      }
      port.post(message, transfer);
    },
  };
}

/** Other threads can run before and after each access to the shared numbers. */
export class InterruptedProgress extends PublicationProgress {
  readonly #interrupt: () => void;
  readonly #seen: Set<string>;

  constructor(memory: SharedArrayBuffer, thread: SimulatedThread, { simulation, seen }: SystemParts) {
    super(memory);
    this.#interrupt = () => simulation.preempt(thread);
    this.#seen = seen;
  }

  override get published(): number {
    this.#interrupt();
    const number = super.published;
    this.#interrupt();
    return number;
  }

  override set published(number: number) {
    this.#interrupt();
    super.published = number;
    this.#interrupt();
    if (this.lag > 5) this.#seen.add("lagged");
  }

  override isPublished(number: number): boolean {
    const isPublished = super.isPublished(number);
    if (!isPublished) this.#seen.add("waited");
    return isPublished;
  }

  override applied(front: number, number: number): void {
    this.#interrupt();
    super.applied(front, number);
    this.#interrupt();
  }

  override isApplied(number: number): boolean {
    const isApplied = super.isApplied(number);
    if (!isApplied) this.#seen.add("kept");
    return isApplied;
  }
}
