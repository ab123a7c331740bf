import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import {
  type Fact,
  type PathState,
  type Recorded,
  type RecordedChange,
  type RecordedOperation,
  UNWRITTEN,
  effectOf,
  stateAfter,
  valueIn,
} from "../../support/history.ts";
import { violations } from "../../support/linearizability.ts";

const PATHS = ["a", "b", "c"];

/** A Commit that a server receives before it is killed. */
interface Call {
  readonly operations: readonly RecordedOperation[];
  readonly result: "answered" | "applied without an answer" | "not applied";
}

/** The states of the secrets. */
type Secrets = ReadonlyMap<string, PathState>;

/** A store that applies one change after the other, and the history of its calls. */
class SerialStore {
  readonly history: Recorded[] = [];
  readonly #paths = new Set(PATHS);
  #secrets: Secrets = new Map();
  #revision = 0;
  #moment = 0;

  /** The calls of one server, until it is killed, and what is read after the restart. */
  serve(calls: readonly Call[]): void {
    const events = calls.flatMap((call) => this.#call(call));
    const kill = ++this.#moment;
    for (const event of events) this.history.push(event.answer === undefined ? { ...event, end: kill } : event);
    this.#readAll();
  }

  /**
   * Applies only a part of a Commit, which no server may do. Returns whether the content differs from that of the whole
   * Commit.
   */
  tear({ operations }: Call, part: readonly RecordedOperation[]): boolean {
    const whole = this.#after(operations);
    const torn = this.#after(part);
    if (whole === undefined || torn === undefined) return false;
    const begin = ++this.#moment;
    for (const { path } of operations) this.#paths.add(path);
    this.history.push({ kind: "change", operations, begin, end: ++this.#moment, answer: undefined });
    [this.#secrets, this.#revision] = [torn.secrets, torn.revision];
    this.#readAll();
    return !isDeepStrictEqual(whole.secrets, torn.secrets);
  }

  /** Makes a Commit. If it is answered with a refusal, the history does not have it, because it changed nothing. */
  #call({ operations, result }: Call): readonly RecordedChange[] {
    const begin = ++this.#moment;
    for (const { path } of operations) this.#paths.add(path);
    const after = result === "not applied" ? undefined : this.#after(operations);
    if (after !== undefined) [this.#secrets, this.#revision] = [after.secrets, after.revision];
    const change = { kind: "change" as const, operations, begin, end: ++this.#moment };
    if (result !== "answered") return [{ ...change, answer: undefined }];
    return after === undefined ? [] : [{ ...change, answer: after }];
  }

  /** The state after a Commit; undefined if the Commit is refused. */
  #after(operations: readonly RecordedOperation[]) {
    const revision = this.#revision + 1;
    const secrets = new Map(this.#secrets);
    const versions: (readonly number[])[] = [];
    for (const operation of operations) {
      const before = secrets.get(operation.path) ?? UNWRITTEN;
      const changed = effectOf(before, operation);
      const value = writtenBy(secrets, operation);
      if (changed === undefined || value === undefined) return undefined;
      secrets.set(operation.path, stateAfter(before, operation, { versions: changed, revision, value }));
      versions.push(changed);
    }
    return { revision, secrets, versions };
  }

  /** Reads what is on the disk, and the value of each version. */
  #readAll(): void {
    for (const path of this.#paths) {
      const { versions } = this.#secrets.get(path) ?? UNWRITTEN;
      this.#read({ path, seen: versions.length === 0 ? { kind: "missing" } : { kind: "described", versions } });
      for (const version of versions)
        if (version.state === "live") this.#read({ path, seen: { ...version, kind: "version" } });
    }
  }

  #read(fact: Fact): void {
    this.history.push({ kind: "read", facts: [fact], begin: ++this.#moment, end: ++this.#moment });
  }
}

/** The value that an operation writes, "" for none; undefined if there is nothing to copy. */
function writtenBy(secrets: Secrets, operation: RecordedOperation): string | undefined {
  if (operation.kind === "put") return operation.value;
  if (operation.kind !== "copy") return "";
  return valueIn(secrets.get(operation.source) ?? UNWRITTEN, operation.version);
}

const path = fc.constantFrom(...PATHS);
const named = fc.constantFrom([], [1], [2]);

/** An operation on a secret. Each value is made unique later. */
const operation: fc.Arbitrary<RecordedOperation> = fc.oneof(
  { weight: 5, arbitrary: path.map((it) => ({ kind: "put" as const, path: it, value: it })) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("copy" as const), path, source: path, version: fc.nat({ max: 2 }) }),
  },
  { weight: 1, arbitrary: path.map((it) => ({ kind: "purge" as const, path: it })) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("delete", "undelete", "destroy"), path, named }) },
);

const call = fc.record({
  operations: fc.uniqueArray(operation, { selector: (it) => it.path, minLength: 1, maxLength: 3 }),
  result: fc.constantFrom("answered" as const, "applied without an answer" as const, "not applied" as const),
});

/** The calls of two servers, one after the other. Each Commit puts a path of its own, and each value is unique. */
const lives: fc.Arbitrary<readonly (readonly Call[])[]> = fc
  .array(fc.array(call, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 2 })
  .map((servers) => servers.map((calls, server) => calls.map((one, i) => marked(one, `mark/${server}/${i}`))));

function marked({ operations, result }: Call, mark: string): Call {
  const unique = operations.map((one) => (one.kind === "put" ? { ...one, value: `${mark} of ${one.path}` } : one));
  return { operations: [{ kind: "put", path: mark, value: mark }, ...unique], result };
}

describe("Changes without an answer", () => {
  // A kill leaves some Commits applied and others not, and no answer says which. The checker must conclude it from what is
  // read later, also if values were copied to other secrets, where they have other version numbers.
  it("explain every history of a store that applies one change after the other", () => {
    fc.assert(
      fc.property(lives, (servers) => {
        const store = new SerialStore();
        for (const calls of servers) store.serve(calls);
        assert.deepEqual(violations(store.history), []);
      }),
      { numRuns: 2000 },
    );
  });

  // The control: a Commit of which the last operation is missing after the kill.
  it("do not explain a history in which a part of one was applied", () => {
    let torn = 0;
    fc.assert(
      fc.property(lives, call, (servers, last) => {
        const store = new SerialStore();
        for (const calls of servers) store.serve(calls);
        const whole = marked(last, "mark/last");
        const isTorn = store.tear(whole, whole.operations.slice(0, -1));
        torn += isTorn ? 1 : 0;
        assert.equal(violations(store.history).length > 0, isTorn);
      }),
      { numRuns: 500 },
    );
    assert.ok(torn > 100, `only ${torn} Commits had an effect that was missing`);
  });
});
