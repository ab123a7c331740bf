import { Content } from "../../src/domain/content.ts";
import { CofferError } from "../../src/domain/errors.ts";
import { parsePathPrefix, parseSecretPath } from "../../src/domain/secret-path.ts";
import { encodeContent } from "../../src/store/content-format.ts";
import { newest } from "../../src/store/secret.ts";
import type { Recorded, Seen } from "../support/history.ts";
import { AUTHOR } from "../support/store-kit.ts";
import type { Simulation } from "../support/simulated-threads.ts";
import type { SimulatedFront } from "./threads-system.ts";

/** What the callers of one run have in common. */
export interface CallerOptions {
  readonly simulation: Simulation;
  readonly history: Recorded[];
  readonly seen: Set<string>;
  readonly paths: readonly string[];
  /** The length of the longest value. */
  readonly longest: number;
}

/** The kinds of calls are numbers, so that some are more frequent than others. Those from READS on are reads. */
const KINDS = 20;
const READS = 10;

/** What a caller does: a number of any calls, or only reads, until the run is over. */
export type Task = { readonly kind: "any"; readonly calls: number } | { readonly kind: "read" };

/** The longest pause of a caller that only reads, in milliseconds. A commit takes longer than some, so reads meet it. */
const LONGEST_PAUSE_MS = 10;

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
      this.#read(path, undefined);
      this.#read(path, 0);
    }
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
    const { simulation, paths } = this.#options;
    // Half of the calls are for the first two paths, so that their versions are pruned.
    const path = paths[simulation.below(simulation.chance(0.5) ? 2 : paths.length)] ?? "";
    const first = this.#task.kind === "read" ? READS : 0;
    const kind = first + simulation.below(KINDS - first);
    if (kind < 8) return this.#put(path);
    if (kind < READS) return this.#delete(path);
    if (kind < 11)
      return this.#list(paths.map((one) => one.slice(0, simulation.below(4)))[simulation.below(paths.length)] ?? "");
    this.#read(path, kind < 14 ? undefined : kind < 15 ? 1 + simulation.below(14) : 0);
    return undefined;
  }

  async #put(path: string): Promise<void> {
    const begin = this.#moment();
    const value = `${this.#name}.${this.#calls}:${this.#below(this.#options.longest)}`;
    const expectedVersion = this.#options.simulation.chance(0.2) ? this.#below(5) : undefined;
    const plaintext = encodeContent(Content.parse([{ key: "v", kind: "text", value: Buffer.from(padded(value)) }]));
    const command = { path: parseSecretPath(path), plaintext, expectedVersion, author: AUTHOR };
    try {
      const { version, revision } = await this.#front.replica.changes.put(command);
      this.#record({ kind: "put", path, value, begin, end: this.#moment(), answer: { version, revision } });
      this.#options.seen.add(version > 10 ? "pruned" : "put");
    } catch (error) {
      this.#refused(error, path, begin, []);
    }
  }

  async #delete(path: string): Promise<void> {
    const begin = this.#moment();
    const versions = this.#options.simulation.chance(0.5) ? [] : [1 + this.#below(12), 1 + this.#below(12)];
    const command = { path: parseSecretPath(path), versions, expectedVersion: undefined, author: AUTHOR };
    try {
      const answer = await this.#front.replica.changes.delete(command);
      if (answer.versions.length === 0) this.#saw(path, begin, { kind: "none live", versions });
      else this.#record({ kind: "delete", path, named: versions, begin, end: this.#moment(), answer });
      this.#options.seen.add(answer.versions.length === 0 ? "idle" : "delete");
    } catch (error) {
      this.#refused(error, path, begin, versions);
    }
  }

  /** A Get of a version, or a Describe if `number` is undefined. */
  #read(path: string, number: number | undefined): void {
    const begin = this.#moment();
    try {
      const seen = number === undefined ? described(this.#front, path) : got(this.#front, path, number);
      this.#saw(path, begin, seen);
    } catch (error) {
      this.#refused(error, path, begin, []);
    }
  }

  async #list(prefix: string): Promise<void> {
    const begin = this.#moment();
    const limit = 1 + this.#below(30);
    const query = { prefix: parsePathPrefix(prefix), after: undefined, limit, atOrAfter: (text: string) => text };
    const { secrets, next } = await this.#front.reader.list(query, () => false);
    const versions = new Map<string, number>(secrets.map((secret) => [secret.path, newest(secret).number]));
    for (const path of this.#options.paths) {
      if (!path.startsWith(prefix) || (next !== undefined && path > next)) continue;
      const version = versions.get(path);
      this.#saw(path, begin, version === undefined ? { kind: "not listed" } : { kind: "listed", version });
    }
    this.#options.seen.add(next === undefined ? "list" : "page");
  }

  #refused(error: unknown, path: string, begin: number, versions: readonly number[]): void {
    if (!(error instanceof CofferError)) throw error;
    this.#options.seen.add(error.reason);
    const { latest_version: latest, version } = error.metadata;
    if (error.reason === "SECRET_NOT_FOUND") this.#saw(path, begin, { kind: "missing" });
    else if (error.reason === "VERSION_MISMATCH") this.#saw(path, begin, { kind: "latest", version: Number(latest) });
    else if (error.reason === "VERSION_NOT_FOUND")
      this.#saw(path, begin, { kind: "no version", version: Number(version) });
    else if (error.reason !== "DISK_FULL") throw new Error(`${error.reason} for ${path} ${versions}`, { cause: error });
  }

  #saw(path: string, begin: number, seen: Seen): void {
    this.#record({ kind: "read", path, begin, end: this.#moment(), seen });
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

/** What a Get returns. Throws its refusal, except that of a deleted version. */
function got({ reader }: SimulatedFront, path: string, number: number): Seen {
  try {
    const { version, content } = reader.get(parseSecretPath(path), number);
    const [entry] = content.entries();
    const value = unpadded(Buffer.from(entry?.value ?? []).toString());
    return { kind: number === 0 ? "newest" : "version", version: version.number, revision: version.revision, value };
  } catch (error) {
    if (!(error instanceof CofferError && error.reason === "VERSION_DELETED")) throw error;
    const version = Number(error.metadata["version"]);
    return { kind: number === 0 ? "newest deleted" : "version deleted", version };
  }
}

function described({ reader }: SimulatedFront, path: string): Seen {
  const { versions } = reader.describe(parseSecretPath(path));
  return {
    kind: "described",
    versions: versions.map(({ number, revision, state }) => ({
      version: number,
      revision,
      deleted: state.kind === "deleted" ? state.revision : undefined,
    })),
  };
}

/** The text for a value such as `name:9`: the value and nine letters, so that contents have various lengths. */
function padded(value: string): string {
  return value + "x".repeat(Number(value.split(":")[1]));
}

function unpadded(text: string): string {
  const value = text.replace(/x*$/, "");
  if (padded(value) !== text) throw new Error(`a content is damaged: ${text.slice(0, 50)}`);
  return value;
}
