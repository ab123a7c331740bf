import { isDeepStrictEqual } from "node:util";
import { MAX_VERSIONS } from "../../src/contract/limits.ts";
import { CofferError } from "../../src/domain/errors.ts";
import { parsePathPrefix, parseSecretPath } from "../../src/domain/secret-path.ts";
import type { ChangeResult } from "../../src/store/command.ts";
import type { ListQuery } from "../../src/store/listing.ts";
import type { Snapshot } from "../../src/store/reads.ts";
import { type StoredSecret, newest } from "../../src/store/secret.ts";
import { factsOfRefusal, factsOfUnchanged, seenInRefusal } from "../support/facts.ts";
import type { Fact, Recorded, RecordedOperation, Seen, VersionState } from "../support/history.ts";
import type { Simulation } from "../support/simulated-threads.ts";
import type { AnyChange, AnyChanges } from "./threads-commands.ts";
import { valueOfContent } from "./threads-commands.ts";
import type { PolicyHistory } from "./threads-policies.ts";
import type { SimulatedFront } from "./threads-system.ts";

/** What the callers of one run have in common. */
export interface CallerOptions {
  readonly simulation: Simulation;
  readonly history: Recorded[];
  readonly seen: Set<string>;
  readonly paths: readonly string[];
  readonly changes: AnyChanges;
  readonly policies: PolicyHistory;
  /** Every front: a caller can repeat a request on another one. */
  readonly fronts: readonly SimulatedFront[];
  /** Finds a content of these versions in the memory that the threads share. */
  readonly remains: (path: string, versions: readonly number[]) => string | undefined;
}

/** The kinds of calls are numbers, so that some are more frequent than others. Those from READS on are reads. */
const KINDS = 20;
const READS = 10;

/** What a caller does: a number of any calls, or only reads, until the run is over. */
export type Task = { readonly kind: "any"; readonly calls: number } | { readonly kind: "read" };

/** The longest pause of a caller that only reads, in milliseconds. Some pauses end during a commit. */
const LONGEST_PAUSE_MS = 10;

type Outcome = { readonly result: ChangeResult } | { readonly error: CofferError };

/** A caller on one front. It makes one random call after the other and records what it learns. */
export class SimulatedCaller {
  readonly #name: string;
  readonly #front: SimulatedFront;
  readonly #options: CallerOptions;
  readonly #task: Task;
  #calls = 0;

  constructor(name: string, front: SimulatedFront, task: Task, options: CallerOptions) {
    this.#name = name;
    this.#front = front;
    this.#task = task;
    this.#options = options;
  }

  /** Whether the run does not need to wait for it. */
  get isOver(): boolean {
    return this.#task.kind === "read" || this.#calls > this.#task.calls;
  }

  /** Begins the calls. */
  begin(): void {
    this.#calls += 1;
    const { timers } = this.#front.thread;
    if (this.#task.kind === "read") timers.delay(this.#below(LONGEST_PAUSE_MS), () => this.#makeCall());
    else if (!this.isOver) timers.afterTurn(() => this.#makeCall());
  }

  /** Reads every path at once. */
  readAll(): void {
    for (const path of this.#options.paths) {
      this.#describe(path);
      this.#get([path], 0);
    }
    this.#get(this.#options.paths, 0);
  }

  #makeCall(): void {
    const answer = this.#call();
    const fault = (error: unknown) => this.#options.simulation.faults.push(`${this.#name}: ${error}`);
    if (answer === undefined) this.begin();
    else answer.then(() => this.begin(), fault);
  }

  /**
   * Makes a call. A call that is answered immediately returns no promise, so that this caller can make more calls while
   * other threads are suspended.
   */
  #call(): Promise<void> | undefined {
    const { simulation, changes, paths } = this.#options;
    const first = this.#task.kind === "read" ? READS : 0;
    const kind = first + simulation.below(KINDS - first);
    if (kind < READS) return this.#change(changes.change());
    if (kind < 11)
      return this.#list(paths.map((one) => one.slice(0, simulation.below(4)))[simulation.below(paths.length)] ?? "");
    if (kind < 14) this.#describe(changes.path());
    else if (kind < 15) this.#get([changes.path()], 1 + simulation.below(14));
    else if (kind < 18) this.#get([changes.path()], 0);
    else this.#get(changes.several(), 0);
    return undefined;
  }

  async #change(change: AnyChange): Promise<void> {
    const begin = this.#decide();
    const outcomes = await Promise.all(this.#submit(change));
    const done = outcomes.flatMap((outcome) => ("result" in outcome ? [outcome.result] : []));
    for (const outcome of outcomes) if ("error" in outcome) this.#refused(outcome.error, change.recorded, begin);
    const [first, ...others] = done;
    if (first === undefined) return;
    if (!others.every((other) => isDeepStrictEqual(other, first)))
      throw new Error(`a repeated request has two answers: ${JSON.stringify(done)}`);
    this.#done(change.recorded, first, begin);
    this.#checkErased(change.recorded, first);
  }

  /** Sends a change. One with a request_id is also repeated on any front, before or after its answer. */
  #submit({ command }: AnyChange): Promise<Outcome>[] {
    const { simulation, fronts, seen } = this.#options;
    const first = outcomeOf(this.#front.replica.changes.change(command()));
    if (command().requestId === undefined) return [first];
    seen.add("repeated");
    const front = fronts[simulation.below(fronts.length)] ?? this.#front;
    const again = () => outcomeOf(front.replica.changes.change(command()));
    return [first, simulation.chance(0.5) ? again() : first.then(again)];
  }

  #done(operations: readonly RecordedOperation[], { revision, results }: ChangeResult, begin: number): void {
    const versions = results.map((result) => result.versions);
    const isChanged = versions.some((those) => those.length > 0);
    const when = { begin, end: this.#moment() };
    if (isChanged) this.#record({ kind: "change", operations, ...when, answer: { revision, versions } });
    else this.#record({ kind: "read", facts: factsOfUnchanged(operations), ...when });
    if (operations.length > 1) this.#options.seen.add("commit");
    for (const { kind } of operations) this.#options.seen.add(isChanged ? kind : "idle");
    if (versions.some(([first = 0]) => first > 10)) this.#options.seen.add("pruned");
  }

  /** When a change that removes content is answered, no thread has the content. */
  #checkErased(operations: readonly RecordedOperation[], result: ChangeResult): void {
    operations.forEach(({ kind, path }, i) => {
      const versions = result.results[i]?.versions ?? [];
      // A Purge removes all retained versions, of which its answer has the last.
      const retained = versions.flatMap((last) => Array.from({ length: MAX_VERSIONS }, (_, n) => last - n));
      const gone = kind === "destroy" ? versions : kind === "purge" ? retained : [];
      const remains = this.#options.remains(path, gone);
      if (remains !== undefined) throw new Error(`${remains} of ${path} is in memory after it was removed`);
    });
  }

  /** A Get of a version of one path, or a BatchGet of several. */
  #get(paths: readonly string[], number: number): void {
    const begin = this.#moment();
    const snapshot = this.#decideAndRead(begin);
    const facts = paths.flatMap((path) => this.#read(snapshot(), path, number));
    this.#record({ kind: "read", facts, begin, end: this.#moment() });
    if (paths.length > 1) this.#options.seen.add("batch");
  }

  #read(snapshot: Snapshot, path: string, number: number): readonly Fact[] {
    try {
      const version = snapshot.version(parseSecretPath(path), number);
      const value = valueOfContent(snapshot.open(parseSecretPath(path), version));
      const kind = number === 0 ? "newest" : "version";
      return [{ path, seen: { kind, version: version.number, revision: version.revision, value } }];
    } catch (error) {
      return [{ path, seen: this.#refusedRead(error, number) }];
    }
  }

  #describe(path: string): void {
    const begin = this.#moment();
    const snapshot = this.#decideAndRead(begin)();
    const facts = [{ path, seen: this.#described(snapshot, path) }];
    this.#record({ kind: "read", facts, begin, end: this.#moment() });
  }

  #described(snapshot: Snapshot, path: string): Seen {
    try {
      return described(snapshot.secret(parseSecretPath(path)));
    } catch (error) {
      return this.#refusedRead(error, 0);
    }
  }

  /** Authorizes a call. Returns when the call began. */
  #decide(): number {
    const begin = this.#moment();
    const { epoch } = this.#front.authorizer();
    this.#options.policies.decided({ begin, end: this.#moment(), epoch, revision: undefined });
    return begin;
  }

  /** Authorizes a call that reads in the turn of its decision. Returns what it reads from, see snapshotOfCall. */
  #decideAndRead(begin: number): () => Snapshot {
    const { epoch } = this.#front.authorizer();
    const snapshot = this.#front.snapshotOfCall();
    this.#options.policies.decided({ begin, end: this.#moment(), epoch, revision: snapshot().revision });
    return snapshot;
  }

  #refusedRead(error: unknown, number: number): Seen {
    const seen = error instanceof CofferError ? seenInRefusal(error, number) : undefined;
    if (seen === undefined) throw error;
    this.#options.seen.add((error as CofferError).reason);
    return seen;
  }

  /** The paths of a page are not read at the same moment, so each of them is a read of its own. */
  async #list(prefix: string): Promise<void> {
    const begin = this.#decide();
    const { secrets, next } = await this.#front.reader.list(queryOf(prefix, 1 + this.#below(30)), () => false);
    const versions = new Map<string, number>(secrets.map((secret) => [secret.path, newest(secret)?.number ?? 0]));
    for (const path of this.#options.paths) {
      if (!path.startsWith(prefix) || (next !== undefined && path > next)) continue;
      const version = versions.get(path);
      const seen = version === undefined ? { kind: "not listed" as const } : { kind: "listed" as const, version };
      this.#record({ kind: "read", facts: [{ path, seen }], begin, end: this.#moment() });
    }
    this.#options.seen.add(next === undefined ? "list" : "page");
  }

  #refused(error: CofferError, operations: readonly RecordedOperation[], begin: number): void {
    this.#options.seen.add(error.reason);
    const facts = error.reason === "DISK_FULL" ? [] : factsOfRefusal(error, operations);
    if (facts === undefined) throw error;
    this.#record({ kind: "read", facts, begin, end: this.#moment() });
  }

  #record(event: Recorded): void {
    this.#options.history.push(event);
  }

  #moment(): number {
    return this.#options.simulation.moment();
  }

  #below(limit: number): number {
    return this.#options.simulation.below(limit);
  }
}

function described({ versions }: StoredSecret): Seen {
  return {
    kind: "described",
    versions: versions.map(({ number, revision, state }) => ({
      version: number,
      revision,
      state: state.kind as VersionState,
      changed: state.kind === "live" ? undefined : state.revision,
    })),
  };
}

function queryOf(prefix: string, limit: number): ListQuery {
  return {
    ...{ prefix: parsePathPrefix(prefix), after: undefined, limit },
    ...{ isFolded: false, labels: [], isDescribable: () => true, showDeleted: false },
    atOrAfter: (text) => text,
  };
}

async function outcomeOf(answer: Promise<ChangeResult>): Promise<Outcome> {
  try {
    return { result: await answer };
  } catch (error) {
    if (!(error instanceof CofferError)) throw error;
    return { error };
  }
}
