import { Authorizer } from "../../src/authorization/authorizer.ts";
import { CofferError } from "../../src/domain/errors.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { requireConverged } from "../../src/store/converged.ts";
import type { StoredSecret } from "../../src/store/secret.ts";
import type { WatchRegistry } from "../../src/store/watch-registry.ts";
import type { RegistryAnswer, RegistryRequest } from "../../src/threads/registry-messages.ts";
import { RemoteWatchRegistry } from "../../src/threads/remote-watch-registry.ts";
import { WatchRegistryServer } from "../../src/threads/watch-registry-server.ts";
import { VersionsInUse } from "../../src/watch/versions-in-use.ts";
import { randomFrom } from "../durability/load.ts";
import { policyOf } from "../support/policy-text.ts";
import { type SimulatedThread, Simulation, simulatedChannel } from "../support/simulated-threads.ts";

const PATH = parseSecretPath("a");
const CALLERS = ["spiffe://example.org/a", "spiffe://example.org/b"];

const POLICY = policyOf(`
rules:
  - name: all
    spiffe_ids: [spiffe://example.org/*]
    paths: ["**"]
    actions: [watch]
`);

/** The parts of a run that a test replaces to break the system. */
export class RunParts {
  Remote: typeof RemoteWatchRegistry = RemoteWatchRegistry;
  Server: typeof WatchRegistryServer = WatchRegistryServer;
}

interface Front {
  readonly thread: SimulatedThread;
  readonly registry: WatchRegistry;
  readonly server: WatchRegistryServer;
  isOver: boolean;
  /** The number of its questions that are not answered. */
  waiting: number;
}

/** What is known of a watch at a moment. */
interface KnownWatch {
  readonly id: string;
  readonly caller: string;
  readonly front: Front;
  /** The front knows that it is registered. */
  isRegistered: boolean;
  /** The front has removed it, or has ended. */
  isClosed: boolean;
  /** The versions of which a report was sent. */
  readonly sent: Set<number>;
  /** The version of the last report, once it is answered; undefined while a report is on the way, 0 before the first. */
  settled: number | undefined;
}

/** The watches that must be counted at a moment, and those of them that must count as converged. */
interface Bounds {
  readonly must: ReadonlySet<KnownWatch>;
  readonly mustConverged: ReadonlySet<KnownWatch>;
}

/** A random run of a store thread and its fronts, on which watches begin, report and end. */
export class ConvergenceRun {
  readonly #simulation: Simulation;
  readonly #seen: Set<string>;
  readonly #store: SimulatedThread;
  readonly #registry: VersionsInUse;
  readonly #fronts: readonly Front[];
  readonly #watches: KnownWatch[] = [];
  readonly #complaints: string[] = [];
  #newest = { number: 1, revision: 1 };
  #unfinished = 0;

  constructor(seed: number, seen: Set<string>, { Remote, Server }: RunParts) {
    const simulation = new Simulation(randomFrom(Math.imul(seed, 0x9e3779b1)));
    this.#simulation = simulation;
    this.#seen = seen;
    this.#store = simulation.thread();
    const memory = { get: () => this.#secret, revision: 0 };
    Object.defineProperty(memory, "revision", { get: () => this.#newest.revision });
    const authorizer = new Authorizer({ policy: POLICY, admins: [], epoch: 1 });
    this.#registry = new VersionsInUse({ memory, authorizer: () => authorizer });
    const count = 1 + simulation.below(3);
    seen.add(`${count} fronts`);
    this.#fronts = Array.from({ length: count }, () => {
      const thread = simulation.thread({ speed: simulation.chance(0.3) ? 0.02 : 1, attention: 0.5 });
      const [upper, lower] = simulatedChannel<readonly RegistryRequest[], readonly RegistryAnswer[]>(simulation, [
        this.#store,
        thread,
      ]);
      const server = new Server(upper, this.#registry);
      return { thread, server, registry: new Remote(lower, thread.timers), isOver: false, waiting: 0 };
    });
  }

  /** Runs, and returns everything that is wrong. */
  async complaints(): Promise<readonly string[]> {
    for (let i = 0; i < 12; i++) this.#work(this.#anyFront(), 4 + this.#simulation.below(12));
    this.#change(10);
    await this.#simulation.run(() => this.#unfinished === 0);
    for (const watch of this.#watches) this.#close(watch);
    await this.#simulation.run(() => this.#registry.size === 0 || !this.#fronts.some(({ thread }) => thread.isAble));
    for (const front of this.#fronts) if (!front.isOver) front.server.close();
    if (this.#registry.size > 0) this.#complaints.push(`${this.#registry.size} watches remain`);
    return [...this.#simulation.faults, ...this.#complaints];
  }

  get #secret(): StoredSecret {
    return { kind: "secret", path: PATH, versions: [this.#newest] } as unknown as StoredSecret;
  }

  #anyFront(): Front {
    const front = this.#fronts[this.#simulation.below(this.#fronts.length)];
    if (front === undefined) throw new Error("a run has a front");
    return front;
  }

  /** Does a number of random things on a front, one in each turn. */
  #work(front: Front, count: number): void {
    this.#unfinished += 1;
    const next = (left: number) => {
      if (left === 0) this.#unfinished -= 1;
      else
        front.thread.timers.afterTurn(() => {
          if (!front.isOver) this.#doSomething(front);
          next(left - 1);
        });
    };
    next(count);
  }

  #doSomething(front: Front): void {
    const own = this.#watches.filter((watch) => watch.front === front && !watch.isClosed);
    const watch = own[this.#simulation.below(Math.max(1, own.length))];
    const chance = this.#simulation.random();
    if (watch === undefined || chance < 0.2) this.#open(front);
    else if (chance < 0.55) this.#report(this.#anyFront(), watch);
    else if (chance < 0.65) this.#reportAsAnother(this.#anyFront(), watch);
    else if (chance < 0.75) this.#close(watch);
    else this.#count(front);
  }

  #open(front: Front): void {
    const caller = CALLERS[this.#simulation.below(CALLERS.length)] ?? "";
    const id = `w${this.#watches.length}`;
    const watch = { id, caller, front, isRegistered: false, isClosed: false, sent: new Set<number>(), settled: 0 };
    this.#watches.push(watch);
    this.#seen.add("opened");
    front.registry.opened({ watchId: id, caller, paths: [PATH], prefixes: [] }, () => {
      watch.isRegistered = true;
    });
  }

  #close(watch: KnownWatch): void {
    if (watch.isClosed) return;
    watch.isClosed = true;
    this.#seen.add(watch.isRegistered ? "closed" : "ended before it was registered");
    watch.front.registry.closed(watch.id);
  }

  /** A client reports only one version at a time, and only with a watch_id, which it gets when the watch is registered. */
  #report(front: Front, watch: KnownWatch): void {
    if (!watch.isRegistered || watch.settled === undefined || front.isOver) return;
    const before = watch.settled;
    const version = Math.max(1, this.#newest.number - this.#simulation.below(2));
    const state = before === 0 && this.#simulation.chance(0.3) ? "received" : "in use";
    watch.settled = undefined;
    watch.sent.add(version);
    const finish = this.#ask(front);
    const report = { watchId: watch.id, caller: watch.caller, path: PATH, version, state, instance: watch.id } as const;
    const answered = (settled: number, what: string) => {
      watch.settled = settled;
      this.#seen.add(what);
      finish();
    };
    void Promise.resolve(front.registry.report(report)).then(
      () => answered(version, state),
      () => {
        if (!watch.isClosed) this.#complaints.push(`a report of ${watch.id} was refused`);
        answered(before, "refused report");
      },
    );
  }

  #reportAsAnother(front: Front, watch: KnownWatch): void {
    if (front.isOver) return;
    const caller = CALLERS.find((other) => other !== watch.caller) ?? "";
    const report = { watchId: watch.id, caller, path: PATH, version: 1, state: "in use", instance: "x" } as const;
    const finish = this.#ask(front);
    const reported = () => this.#complaints.push(`${caller} has reported for ${watch.id}`);
    void Promise.resolve(front.registry.report(report))
      .then(reported, () => this.#seen.add("another's report"))
      .then(finish);
  }

  #count(front: Front): void {
    const newest = this.#newest;
    const before = this.#bounds(newest.number);
    const finish = this.#ask(front);
    void Promise.resolve(front.registry.count(PATH, newest)).then(({ watchers, behind }) => {
      finish();
      const after = this.#bounds(newest.number);
      const must = [...before.must].filter((watch) => after.must.has(watch));
      const can = this.#watches.length;
      if (watchers < must.length) this.#complaints.push(`counted ${watchers}, without a registered watch`);
      if (watchers > can) this.#complaints.push(`counted ${watchers} of ${can}`);
      const names = new Set(behind.map(({ instance }) => instance));
      for (const watch of before.mustConverged)
        if (after.mustConverged.has(watch) && names.has(watch.id))
          this.#complaints.push(`${watch.id} is behind, without an answered report`);
    });
  }

  /** A front asks the registry. Returns what to call after the answer. A front that has ended waits for no answer. */
  #ask(front: Front): () => void {
    this.#unfinished += 1;
    front.waiting += 1;
    return () => {
      if (front.isOver) return;
      this.#unfinished -= 1;
      front.waiting -= 1;
    };
  }

  /** The watches that are registered, and those of them that use at least a version. */
  #bounds(version: number): Bounds {
    const must = new Set(this.#watches.filter(({ isRegistered, isClosed }) => isRegistered && !isClosed));
    const mustConverged = [...must].filter(({ settled }) => settled !== undefined && settled >= version);
    return { must, mustConverged: new Set(mustConverged) };
  }

  /** Puts versions, makes changes that require convergence, and ends fronts, on the store thread. */
  #change(count: number): void {
    this.#unfinished += 1;
    const next = (left: number) => {
      if (left === 0) this.#unfinished -= 1;
      else
        this.#store.timers.afterTurn(() => {
          const chance = this.#simulation.random();
          if (chance < 0.25) this.#put();
          else if (chance < 0.9) this.#require();
          else this.#endFront();
          next(left - 1);
        });
    };
    next(count);
  }

  #put(): void {
    this.#seen.add("put");
    this.#newest = { number: this.#newest.number + 1, revision: this.#newest.revision + 1 };
  }

  #require(): void {
    try {
      requireConverged({ spend: () => {} }, this.#secret, this.#registry, { minWatchers: 0, refusal: "counted" });
    } catch (error) {
      if (!(error instanceof CofferError)) throw error;
      this.#seen.add("required and refused");
      return;
    }
    this.#seen.add("required and made");
    const { must } = this.#bounds(this.#newest.number);
    for (const { id, sent } of must) {
      const uses = [...sent].some((version) => version >= this.#newest.number);
      if (!uses) this.#complaints.push(`a change was made, without a registered watch: ${id} has not reported`);
    }
  }

  #endFront(): void {
    const front = this.#anyFront();
    if (front.isOver || this.#fronts.length === 1) return;
    front.isOver = true;
    this.#unfinished -= front.waiting;
    this.#seen.add("front ended");
    for (const watch of this.#watches) if (watch.front === front) watch.isClosed = true;
    front.server.close();
  }
}
