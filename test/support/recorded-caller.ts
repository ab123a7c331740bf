import { contentOf, storedValue } from "./dump.ts";
import type { Recorded, RecordedChange, Seen } from "./history.ts";
import type { Caller, Outcome } from "./server-kit.ts";

/** Errors that guarantee that nothing was applied, and say nothing about the secret. */
const NOT_APPLIED = new Set(["SHUTTING_DOWN", "DISK_FULL", "STORE_FULL", "QUEUE_FULL", "BUDGET_EXCEEDED"]);

/** The outcome of a call to a server that has ended. */
const LOST: Outcome = { code: "UNAVAILABLE", message: "", reason: undefined, metadata: {}, response: undefined };

/** The history of calls, on one clock. */
export class RecordedHistory {
  readonly events: Recorded[] = [];
  readonly #unanswered: RecordedChange[] = [];
  #moment = 0;

  /** The present moment. No two calls return the same. */
  moment(): number {
    return ++this.#moment;
  }

  add(event: Recorded): void {
    this.events.push(event);
  }

  /** Adds a change without an answer. It can take effect until {@link serverEnded}. */
  addUnanswered(change: RecordedChange): void {
    this.#unanswered.push(change);
  }

  /** Records that the server has ended, so that no unanswered change takes effect later. Returns their number. */
  serverEnded(): number {
    const end = this.moment();
    const unanswered = this.#unanswered.splice(0);
    this.events.push(...unanswered.map((change) => ({ ...change, end })));
    return unanswered.length;
  }

  /** The number of changes that were answered. */
  get answered(): number {
    return this.events.filter((event) => event.kind !== "read" && event.answer !== undefined).length;
  }
}

/** A connection whose calls are recorded. Each method resolves to the response, or to undefined without an answer. */
export class RecordedCaller {
  readonly #caller: Caller;
  readonly #history: RecordedHistory;
  readonly #lost: Promise<Outcome>;

  /**
   * When `ended` resolves, the server has ended, and calls in progress have no answer. Sometimes Node 20 does not report
   * the end of a connection to an HTTP/2 session of a client: its calls would wait for their deadline.
   */
  constructor(caller: Caller, history: RecordedHistory, ended: Promise<unknown> = new Promise(() => {})) {
    this.#caller = caller;
    this.#history = history;
    this.#lost = ended.then(() => LOST);
  }

  async put(path: string, value: string, expected?: number): Promise<Outcome> {
    const begin = this.#history.moment();
    const expectation = expected === undefined ? {} : { expected_version: expected };
    const outcome = await this.#answerOf(this.#caller.put({ path, ...contentOf(value), ...expectation }));
    const change = { kind: "put" as const, path, value, begin, end: this.#history.moment() };
    if (outcome.code === "OK") {
      const { version, revision } = outcome.response;
      this.#history.add({ ...change, answer: { version, revision } });
    } else this.#failed(outcome, { ...change, answer: undefined });
    return outcome;
  }

  async delete(path: string, named: readonly number[]): Promise<Outcome> {
    const begin = this.#history.moment();
    const outcome = await this.#answerOf(this.#caller.delete({ path, versions: named }));
    const change = { kind: "delete" as const, path, named, begin, end: this.#history.moment() };
    if (outcome.code !== "OK") this.#failed(outcome, { ...change, answer: undefined });
    else {
      const { versions = [], revision } = outcome.response;
      if (versions.length > 0) this.#history.add({ ...change, answer: { versions, revision } });
      else this.#saw(path, begin, { kind: "none live", versions: named });
    }
    return outcome;
  }

  /** Reads a version; 0 is the newest. */
  async get(path: string, number: number): Promise<Outcome> {
    const begin = this.#history.moment();
    const outcome = await this.#answerOf(this.#caller.get({ path, version: number }));
    const kind = number === 0 ? "newest" : "version";
    if (outcome.code === "OK") {
      const { version, revision } = outcome.response;
      this.#saw(path, begin, { kind, version, revision, value: storedValue(outcome.response) });
    } else if (outcome.reason === "VERSION_DELETED")
      this.#saw(path, begin, { kind: `${kind} deleted`, version: Number(outcome.metadata["version"]) });
    else this.#refused(outcome, path, begin);
    return outcome;
  }

  async describe(path: string): Promise<Outcome> {
    const begin = this.#history.moment();
    const outcome = await this.#answerOf(this.#caller.describe({ path }));
    if (outcome.code === "OK") this.#saw(path, begin, described(outcome.response.versions));
    else this.#refused(outcome, path, begin);
    return outcome;
  }

  /** Lists all paths, and records what it learns about these. */
  async list(paths: readonly string[]): Promise<Outcome> {
    const begin = this.#history.moment();
    const outcome = await this.#answerOf(this.#caller.list({ page_size: 1000 }));
    if (outcome.code !== "OK") return outcome;
    const entries: { path: string; latest_version: number }[] = outcome.response.entries ?? [];
    const versions = new Map(entries.map(({ path, latest_version: version }) => [path, version]));
    for (const path of paths) {
      const version = versions.get(path);
      this.#saw(path, begin, version === undefined ? { kind: "not listed" } : { kind: "listed", version });
    }
    return outcome;
  }

  /** The outcome of a call, or of one that has no answer because the server has ended. */
  #answerOf(call: Promise<Outcome>): Promise<Outcome> {
    return Promise.race([call, this.#lost]);
  }

  /** A refusal says something about the secret, or nothing was applied, or nothing is known about the change. */
  #failed(outcome: Outcome, change: RecordedChange): void {
    if (this.#refused(outcome, change.path, change.begin) || NOT_APPLIED.has(outcome.reason ?? "")) return;
    this.#history.addUnanswered(change);
  }

  #refused({ reason, metadata }: Outcome, path: string, begin: number): boolean {
    const seen = seenIn(reason, metadata);
    if (seen !== undefined) this.#saw(path, begin, seen);
    return seen !== undefined;
  }

  #saw(path: string, begin: number, seen: Seen): void {
    this.#history.add({ kind: "read", path, begin, end: this.#history.moment(), seen });
  }
}

/** What a refusal says about the secret. */
function seenIn(reason: string | undefined, metadata: Outcome["metadata"]): Seen | undefined {
  switch (reason) {
    case "SECRET_NOT_FOUND":
      return { kind: "missing" };
    case "VERSION_NOT_FOUND":
      return { kind: "no version", version: Number(metadata["version"]) };
    case "VERSION_MISMATCH":
      return { kind: "latest", version: Number(metadata["latest_version"]) };
    default:
      return undefined;
  }
}

/** A Describe does not return the revisions of deletions. */
function described(versions: readonly { version: number; revision: number; state: string }[]): Seen {
  return {
    kind: "described",
    versions: versions.map(({ version, revision, state }) => {
      return { version, revision, deleted: state === "VERSION_STATE_DELETED" ? "at some revision" : undefined };
    }),
  };
}
