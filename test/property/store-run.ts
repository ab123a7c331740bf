import assert from "node:assert/strict";
import { Content } from "../../src/domain/content.ts";
import { encodeContent } from "../../src/store/content-format.ts";
import { parsePathPrefix, parseSecretPath } from "../../src/domain/secret-path.ts";
import { processTimers } from "../../src/domain/timers.ts";
import type { ListPage } from "../../src/store/listing.ts";
import type { SecretStore } from "../../src/store/secret-store.ts";
import { outcomeOf } from "../support/store-kit.ts";
import { StoreModel, type ModelResult, type ChangeRequest, changesNothing } from "./store-model.ts";
import { PATHS, PREFIXES, type Step } from "./store-steps.ts";

/** A store under test, with the operations of its kind of journal. */
export interface Subject {
  readonly store: SecretStore;
  /** Called before each group is submitted, with the changes that other replicas commit before its attempts. */
  prepare(foreign: readonly ChangeRequest[]): void;
  /** Whether the last prepared group failed after all attempts. */
  gaveUp(): boolean;
  /** Another replica commits a change while this store has no requests. */
  foreign(request: ChangeRequest): void;
  checkpoint(): void;
  restart(): Promise<void>;
  close(): void;
}

/** The state of one run: the model, and the clock of the store. */
export class Run {
  readonly model = new StoreModel();
  /** The time of the store's clock. */
  now = 1000;
  /** The number of answers for the current group so far. */
  answered = 0;
  readonly timers = { ...processTimers, clock: () => this.now };
  readonly seen: Set<string>;

  constructor(seen: Set<string>) {
    this.seen = seen;
  }

  async take(step: Step, subject: Subject): Promise<void> {
    switch (step.kind) {
      case "group":
        await this.#group(step.requests, step.foreign, subject);
        break;
      case "foreign":
        subject.foreign(step.request);
        break;
      case "clock":
        this.now = step.time;
        break;
      case "checkpoint":
        subject.checkpoint();
        break;
      case "restart":
        await subject.restart();
    }
  }

  /** Compares everything that callers can read, except Lists, with the model. */
  compare(store: SecretStore): void {
    assert.deepEqual(learned(store), this.#known());
  }

  /** Compares Lists with the model. */
  async compareLists(store: SecretStore): Promise<void> {
    const { secrets } = this.model;
    const live = [...secrets.keys()].sort().filter((path) => secrets.get(path)!.at(-1)!.deletion === undefined);
    for (const prefix of PREFIXES) {
      assert.deepEqual(
        await listAll(store, prefix),
        live.filter((path) => path.startsWith(prefix)),
      );
    }
  }

  async #group(requests: readonly ChangeRequest[], foreign: readonly ChangeRequest[], subject: Subject): Promise<void> {
    this.answered = 0;
    subject.prepare(foreign);
    const answers = await Promise.all(requests.map((request) => this.#submit(subject.store, request)));
    if (subject.gaveUp()) {
      assert.deepEqual(new Set(answers), new Set(["CONTENTION"]));
      this.seen.add("CONTENTION");
      return;
    }
    const time = Math.max(this.now, this.model.lastTime);
    const results = requests.map((request, i) => this.#apply(request, answers[i], time));
    // A Delete that changes nothing returns the last revision after the whole group.
    results.forEach((result, i) => {
      if (!changesNothing(result)) return;
      assert.deepEqual(answers[i], { versions: [], revision: this.model.lastRevision(requests[i]!.path) });
      this.seen.add("idle");
    });
  }

  async #submit(store: SecretStore, request: ChangeRequest): Promise<unknown> {
    const { author, expected: expectedVersion } = request;
    const common = { path: parseSecretPath(request.path), author, expectedVersion };
    const answer = await outcomeOf<unknown>(
      request.kind === "put"
        ? store.put({ ...common, plaintext: encodeContent(contentOf(request.value)) })
        : store.delete({ ...common, versions: request.versions }),
    );
    this.answered += 1;
    return answer;
  }

  /** Applies the request to the model, with the revision that the store returned, and compares the results. */
  #apply(request: ChangeRequest, answer: unknown, time: number): ModelResult {
    const result = this.model.resultOf(request);
    if ("refused" in result) {
      assert.equal(answer, result.refused);
      this.seen.add(result.refused);
      return result;
    }
    if (changesNothing(result)) return result;
    const { revision } = answer as { revision: number };
    assert.ok(revision > this.model.revision, `revision ${revision} after ${this.model.revision}`);
    this.model.apply(request, revision, time);
    const { pruned, ...expected } = { pruned: [], ...result };
    assert.deepEqual(
      answer,
      "version" in result ? { ...expected, revision, createTime: time } : { ...expected, revision },
    );
    this.seen.add(request.kind);
    if (pruned.length > 0) this.seen.add("pruned");
    return result;
  }

  #known(): object {
    const { secrets } = this.model;
    const versions = [...secrets.values()].reduce((sum, all) => sum + all.length, 0);
    return {
      secrets: PATHS.map((path) => secrets.get(path)?.map((version) => ({ ...version, ...readable(version) }))),
      newest: PATHS.map((path) => {
        const newest = secrets.get(path)?.at(-1);
        return newest === undefined ? "SECRET_NOT_FOUND" : readable(newest).value;
      }),
      totals: { secrets: secrets.size, versions },
    };
  }
}

function readable({ value, deletion }: { value: string; deletion: unknown }): { value: string } {
  return { value: deletion === undefined ? value : "VERSION_DELETED" };
}

/** Everything that callers can read from a store, except Lists. */
function learned(store: SecretStore): object {
  const { secrets, versions } = store.totals;
  return {
    secrets: PATHS.map((path) => describeAll(store, path)),
    newest: PATHS.map((path) => read(store, path, 0)),
    totals: { secrets, versions },
  };
}

function describeAll(store: SecretStore, path: string): object[] | undefined {
  if (read(store, path, 0) === "SECRET_NOT_FOUND") return undefined;
  return store.describe(parseSecretPath(path)).versions.map(({ number, revision, createTime, createdBy, state }) => {
    const { kind, ...deletion } = state.kind === "live" ? { kind: "live" } : state;
    const value = read(store, path, number);
    const common = { number, value, revision, time: createTime, author: createdBy };
    return { ...common, deletion: kind === "live" ? undefined : deletion };
  });
}

/** All pages of a List, with two secrets each, joined. */
async function listAll(store: SecretStore, prefix: string): Promise<string[]> {
  const paths: string[] = [];
  let after: string | undefined;
  do {
    const query = { prefix: parsePathPrefix(prefix), after, limit: 2, atOrAfter: (path: string) => path };
    const page: ListPage = await store.list(query, () => false);
    paths.push(...page.secrets.map((secret) => secret.path));
    after = page.next;
  } while (after !== undefined);
  return paths;
}

function read(store: SecretStore, path: string, version: number): string {
  try {
    const [text, binary] = store.get(parseSecretPath(path), version).content.entries();
    assert.deepEqual([text!.kind, text!.key, binary!.kind, binary!.key], ["text", "text", "binary", "bytes"]);
    assert.deepEqual(Buffer.from(binary!.value), Buffer.from(text!.value).reverse());
    return Buffer.from(text!.value).toString();
  } catch (error) {
    if (error instanceof Error && "reason" in error) return String(error.reason);
    throw error;
  }
}

/** A content with a value as text and as bytes. */
export function contentOf(value: string): Content {
  const bytes = Buffer.from(value);
  return Content.parse([
    { key: "text", kind: "text", value: bytes },
    { key: "bytes", kind: "binary", value: Buffer.from(bytes).reverse() },
  ]);
}
