import assert from "node:assert/strict";
import { Content } from "../../src/domain/content.ts";
import { parsePathPrefix, parseSecretPath } from "../../src/domain/secret-path.ts";
import { processTimers } from "../../src/domain/timers.ts";
import type { ListPage } from "../../src/store/listing.ts";
import type { SecretStore } from "../../src/store/secret-store.ts";
import { outcomeOf } from "../support/store-kit.ts";
import { StoreModel, type Verdict, type Wish, isIdle } from "./store-model.ts";
import { PATHS, PREFIXES, type Step } from "./store-steps.ts";

/** A store with what is special about its journal. */
export interface Subject {
  readonly store: SecretStore;
  /** Called with each group before it is submitted. */
  prepare(foreign: readonly Wish[]): void;
  /** Whether the group that was prepared last had to give up. */
  gaveUp(): boolean;
  foreign(wish: Wish): void;
  checkpoint(): void;
  restart(): Promise<void>;
  close(): void;
}

/** What the steps of one run have in common. */
export class Run {
  readonly model = new StoreModel();
  /** What the store's clock says. */
  now = 1000;
  /** Answers of the current group that were given so far. */
  answered = 0;
  readonly timers = { ...processTimers, clock: () => this.now };
  readonly seen: Set<string>;

  constructor(seen: Set<string>) {
    this.seen = seen;
  }

  async take(step: Step, subject: Subject): Promise<void> {
    switch (step.kind) {
      case "group":
        await this.#group(step.wishes, step.foreign, subject);
        break;
      case "foreign":
        subject.foreign(step.wish);
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

  /** Everything that callers can learn at once is what the model says. */
  compare(store: SecretStore): void {
    assert.deepEqual(learned(store), this.#known());
  }

  /** What callers can list is what the model says. */
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

  async #group(wishes: readonly Wish[], foreign: readonly Wish[], subject: Subject): Promise<void> {
    this.answered = 0;
    subject.prepare(foreign);
    const answers = await Promise.all(wishes.map((wish) => this.#submit(subject.store, wish)));
    if (subject.gaveUp()) {
      assert.deepEqual(new Set(answers), new Set(["CONTENTION"]));
      this.seen.add("CONTENTION");
      return;
    }
    const time = Math.max(this.now, this.model.lastTime);
    const verdicts = wishes.map((wish, i) => this.#apply(wish, answers[i], time));
    // A Delete of nothing is told the last revision as it is after the whole group.
    verdicts.forEach((verdict, i) => {
      if (!isIdle(verdict)) return;
      assert.deepEqual(answers[i], { versions: [], revision: this.model.lastRevision(wishes[i]!.path) });
      this.seen.add("idle");
    });
  }

  async #submit(store: SecretStore, wish: Wish): Promise<unknown> {
    const { author, expected: expectedVersion } = wish;
    const common = { path: parseSecretPath(wish.path), author, expectedVersion };
    const answer = await outcomeOf<unknown>(
      wish.kind === "put"
        ? store.put({ ...common, content: contentOf(wish.value) })
        : store.delete({ ...common, versions: wish.versions }),
    );
    this.answered += 1;
    return answer;
  }

  /** Lets the model do it too, at the revision that the store was given, and compares what both say. */
  #apply(wish: Wish, answer: unknown, time: number): Verdict {
    const verdict = this.model.judge(wish);
    if ("refused" in verdict) {
      assert.equal(answer, verdict.refused);
      this.seen.add(verdict.refused);
      return verdict;
    }
    if (isIdle(verdict)) return verdict;
    const { revision } = answer as { revision: number };
    assert.ok(revision > this.model.revision, `revision ${revision} after ${this.model.revision}`);
    this.model.apply(wish, revision, time);
    const { pruned, ...told } = { pruned: [], ...verdict };
    assert.deepEqual(answer, "version" in verdict ? { ...told, revision, createTime: time } : { ...told, revision });
    this.seen.add(wish.kind);
    if (pruned.length > 0) this.seen.add("pruned");
    return verdict;
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

/** Everything that callers can learn from a store at once. */
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

/** List's pages, two secrets each, put together. */
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

/** The content that stands for a value: as text, and as bytes. */
export function contentOf(value: string): Content {
  const bytes = Buffer.from(value);
  return Content.parse([
    { key: "text", kind: "text", value: bytes },
    { key: "bytes", kind: "binary", value: Buffer.from(bytes).reverse() },
  ]);
}
