import { contentOf, storedValue } from "./dump.ts";
import { factsOfRefusal, factsOfUnchanged, seenInRefusal } from "./facts.ts";
import type { Fact, Recorded, RecordedChange, RecordedOperation, Seen, VersionState } from "./history.ts";
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

  /** Records that the server has ended, so that no unanswered change takes effect later. Returns these changes. */
  serverEnded(): readonly RecordedChange[] {
    const end = this.moment();
    const unanswered = this.#unanswered.splice(0).map((change) => ({ ...change, end }));
    this.events.push(...unanswered);
    return unanswered;
  }

  /** The number of changes that were answered. */
  get answered(): number {
    return this.events.filter((event) => event.kind === "change" && event.answer !== undefined).length;
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

  put(path: string, value: string, expected?: number): Promise<Outcome> {
    const expectation = expected === undefined ? {} : { expected_version: expected };
    const call = () => this.#caller.put({ path, ...contentOf(value), ...expectation });
    return this.#change([{ kind: "put", path, value }], call, ({ version }) => [[version]]);
  }

  delete(path: string, named: readonly number[]): Promise<Outcome> {
    const call = () => this.#caller.delete({ path, versions: named });
    return this.#change([{ kind: "delete", path, named }], call, ({ versions = [] }) => [versions]);
  }

  /** A Commit of operations on different secrets. */
  commit(operations: readonly RecordedOperation[]): Promise<Outcome> {
    const call = () => this.#caller.call("Commit", { operations: operations.map(wireOperation) });
    return this.#change(operations, call, ({ results }) =>
      results.map(({ versions = [] }: { versions?: readonly number[] }) => versions),
    );
  }

  /** Reads a version; 0 is the newest. */
  get(path: string, number: number): Promise<Outcome> {
    const call = () => this.#caller.get({ path, version: number });
    return this.#read(call, path, number, (response) => contentSeen(response, number));
  }

  /** Reads the newest versions of several secrets as of one moment. */
  async batchGet(paths: readonly string[]): Promise<Outcome> {
    const begin = this.#history.moment();
    const outcome = await this.#answerOf(this.#caller.call("BatchGet", { paths }));
    if (outcome.code === "OK") this.#saw(begin, outcome.response.entries.map(factOfEntry));
    return outcome;
  }

  describe(path: string): Promise<Outcome> {
    return this.#read(
      () => this.#caller.describe({ path }),
      path,
      0,
      ({ versions = [] }) => described(versions),
    );
  }

  /**
   * Lists the first page of the store, whose paths must be `paths`. Records what it learns about each path as a read of
   * its own.
   */
  async list(paths: readonly string[]): Promise<Outcome> {
    const begin = this.#history.moment();
    const outcome = await this.#answerOf(this.#caller.list({ page_size: paths.length }));
    if (outcome.code !== "OK") return outcome;
    const entries: { path: string; latest_version: number }[] = outcome.response.entries ?? [];
    const versions = new Map(entries.map(({ path, latest_version: version }) => [path, version]));
    for (const path of paths) {
      const version = versions.get(path);
      this.#saw(begin, [{ path, seen: version === undefined ? { kind: "not listed" } : { kind: "listed", version } }]);
    }
    return outcome;
  }

  async #read(
    call: () => Promise<Outcome>,
    path: string,
    number: number,
    seenIn: (response: Outcome["response"]) => Seen,
  ): Promise<Outcome> {
    const begin = this.#history.moment();
    const outcome = await this.#answerOf(call());
    const seen = outcome.code === "OK" ? seenIn(outcome.response) : seenInRefusal(outcome, number);
    if (seen !== undefined) this.#saw(begin, [{ path, seen }]);
    return outcome;
  }

  async #change(
    operations: readonly RecordedOperation[],
    call: () => Promise<Outcome>,
    versionsIn: (response: Outcome["response"]) => readonly (readonly number[])[],
  ): Promise<Outcome> {
    const begin = this.#history.moment();
    const outcome = await this.#answerOf(call());
    const change = { kind: "change" as const, operations, begin, end: this.#history.moment() };
    if (outcome.code !== "OK") this.#failed(outcome, { ...change, answer: undefined });
    else {
      const versions = versionsIn(outcome.response);
      const isChanged = versions.some((those) => those.length > 0);
      if (isChanged) this.#history.add({ ...change, answer: { revision: outcome.response.revision, versions } });
      else this.#saw(begin, factsOfUnchanged(operations));
    }
    return outcome;
  }

  /** Resolves to the outcome of a call, or to LOST if the server ends first. */
  #answerOf(call: Promise<Outcome>): Promise<Outcome> {
    return Promise.race([call, this.#lost]);
  }

  /**
   * Records a change that was not acknowledged. Its error states facts about the secret, or that nothing was applied, or
   * neither: the change may then take effect later.
   */
  #failed(outcome: Outcome, change: RecordedChange): void {
    const facts = factsOfRefusal(outcome, change.operations);
    if (facts !== undefined) this.#saw(change.begin, facts);
    else if (!NOT_APPLIED.has(outcome.reason ?? "")) this.#history.addUnanswered(change);
  }

  #saw(begin: number, facts: readonly Fact[]): void {
    this.#history.add({ kind: "read", facts, begin, end: this.#history.moment() });
  }
}

/** An operation of a Commit, as a message. */
function wireOperation(operation: RecordedOperation): object {
  const { kind, path } = operation;
  switch (kind) {
    case "put":
      return { put: { path, ...contentOf(operation.value) } };
    case "copy":
      return { copy: { source: operation.source, version: operation.version, target: path } };
    case "purge":
      return { purge: { path } };
    default:
      return { [kind]: { path, versions: operation.named } };
  }
}

function contentSeen(response: Outcome["response"], number: number): Seen {
  const { version, revision } = response;
  return { kind: number === 0 ? "newest" : "version", version, revision, value: storedValue(response) };
}

function factOfEntry({ path, secret, error }: { path: string; secret?: object; error?: Outcome["response"] }): Fact {
  if (secret !== undefined) return { path, seen: contentSeen(secret, 0) };
  const seen = seenInRefusal({ reason: error.reason, metadata: error.metadata }, 0);
  if (seen === undefined) throw new Error(`BatchGet answered ${error.reason} for ${path}`);
  return { path, seen };
}

/** A Describe does not return the revisions of deletions. */
function described(versions: readonly { version: number; revision: number; state: string }[]): Seen {
  return {
    kind: "described",
    versions: versions.map(({ version, revision, state }) => {
      const name = state.replace("VERSION_STATE_", "").toLowerCase() as VersionState;
      return { version, revision, state: name, changed: undefined };
    }),
  };
}
