import assert from "node:assert/strict";
import { Content, type ContentEntry } from "../../src/domain/content.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { processTimers } from "../../src/domain/timers.ts";
import type { ChangeCommand, ChangeResult, Expiry, OperationCommand } from "../../src/store/command.ts";
import { encodeContent } from "../../src/store/content-format.ts";
import type { SecretStore } from "../../src/store/secret-store.ts";
import { StoreClock } from "../../src/store/store-clock.ts";
import { outcomeOf } from "../support/store-kit.ts";
import { compareLists, learned, known } from "./store-comparison.ts";
import {
  type Accepted,
  LIMITS,
  type ModelCommand,
  type ModelOperation,
  Refusal,
  StoreModel,
  type Values,
} from "./store-model.ts";
import type { Step, Submitted } from "./store-steps.ts";

/** A store under test, with the operations of its kind of journal. */
export interface Subject {
  readonly store: SecretStore;
  /** Called before each group is submitted, with the commands that other replicas commit before its attempts. */
  prepare(foreign: readonly ModelCommand[]): void;
  /** Whether the last prepared group failed after all attempts. */
  gaveUp(): boolean;
  /** Another replica commits a change while this store has no commands. */
  foreign(command: ModelCommand): void;
  checkpoint(): void;
  restart(): Promise<void>;
  close(): void;
}

/** A command that was accepted and changed nothing. */
interface Idle {
  readonly command: ModelCommand;
  readonly answer: ChangeResult;
}

/** The state of one run: the model, and the clocks of the store. */
export class Run {
  readonly model = new StoreModel();
  /** The number of answers for the current group so far. */
  answered = 0;
  readonly timers = { ...processTimers, clock: () => this.#wall, monotonic: () => this.#monotonic };
  readonly seen: Set<string>;
  /** The errors that ended a store. */
  readonly failures: unknown[] = [];
  clock = new StoreClock(this.timers);
  #wall = 3_600_000;
  #monotonic = 0;
  #last = 0;
  /** The commands of the run that have an id. */
  readonly #identified: ModelCommand[] = [];
  #comparisons = 0;

  constructor(seen: Set<string>) {
    this.seen = seen;
  }

  /** A new process begins: its monotonic clock has another zero, and the store's clock starts again. */
  restartClock(): StoreClock {
    this.#monotonic = 5;
    this.clock = new StoreClock(this.timers);
    this.#last = 0;
    return this.clock;
  }

  async take(step: Step, subject: Subject): Promise<void> {
    await this.#take(step, subject);
    for (const failure of this.failures) throw failure;
  }

  async #take(step: Step, subject: Subject): Promise<void> {
    switch (step.kind) {
      case "group":
        await this.#group(step.commands, step.foreign, subject);
        break;
      case "foreign":
        subject.foreign(step.command);
        break;
      case "clock":
        this.#wall = step.time;
        break;
      case "wait":
        this.#wall += step.ms;
        this.#monotonic += step.ms;
        break;
      case "sweep":
        await this.#sweep(subject);
        break;
      case "checkpoint":
        subject.checkpoint();
        break;
      case "restart":
        await subject.restart();
    }
  }

  /** Compares everything that callers can read with the model. */
  async compare(store: SecretStore): Promise<void> {
    this.compareSecrets(store);
    await compareLists(store, this.model, this.now(), this.#comparisons++);
  }

  compareSecrets(store: SecretStore): void {
    assert.deepEqual(learned(store), known(this.model, this.now()));
  }

  /** The time of the store's clock, which never runs backwards, and is not behind the wall clock. */
  now(): number {
    const now = this.clock.now();
    assert.ok(now >= this.#last && now >= this.#wall, `${now} after ${this.#last}`);
    this.#last = now;
    return now;
  }

  async #sweep(subject: Subject): Promise<void> {
    const { store } = subject;
    this.answered = 0;
    subject.prepare([]);
    const before = store.revision;
    await store.sweep();
    if (this.model.sweep(store.revision, this.now())) {
      assert.ok(store.revision > before);
      this.seen.add("swept");
    } else assert.equal(store.revision, before);
  }

  async #group(submitted: readonly Submitted[], foreign: readonly ModelCommand[], subject: Subject): Promise<void> {
    this.answered = 0;
    const commands = submitted.flatMap((one) => this.#commandOf(one));
    subject.prepare(foreign);
    const answers = await Promise.all(commands.map((command) => this.#submit(subject.store, command)));
    if (this.failures.length > 0) return;
    if (subject.gaveUp()) {
      assert.deepEqual(new Set(answers), new Set(["CONTENTION"]));
      this.seen.add("CONTENTION");
      return;
    }
    const before = this.model.revision;
    const idle: Idle[] = [];
    for (const i of inTurns(commands)) this.#check(commands[i]!, answers[i]!, { before, idle });
    for (const { command, answer } of idle) this.#checkIdle(command, answer, before);
  }

  /** The command to submit; empty for the repetition of an earlier command if the run has none to repeat. */
  #commandOf(submitted: Submitted): ModelCommand[] {
    if ("again" in submitted)
      return this.#identified.slice(submitted.again % (this.#identified.length || 1)).slice(0, 1);
    if (submitted.id !== undefined) this.#identified.push(submitted);
    return [submitted];
  }

  async #submit(store: SecretStore, command: ModelCommand): Promise<ChangeResult | string> {
    const answer = await outcomeOf(store.change(changeCommand(command)));
    this.answered += 1;
    return answer;
  }

  /** Compares an answer with the model, and applies the command to the model with the revision of the answer. */
  #check(command: ModelCommand, answer: ChangeResult | string, group: { before: number; idle: Idle[] }): void {
    const time = this.now();
    const text = textOf(command);
    const earlier = command.id === undefined ? undefined : this.model.requestOf(command);
    if (earlier !== undefined) {
      assert.deepEqual(answer, earlier.text === text ? earlier.answer : "REQUEST_ID_REUSED");
      this.seen.add(earlier.text === text ? "repeated" : "REQUEST_ID_REUSED");
      return;
    }
    const expected = this.#expected(command, time);
    if (typeof expected === "string" || typeof answer === "string") {
      assert.equal(answer, expected);
      this.seen.add(String(answer));
      return;
    }
    assert.deepEqual([answer.results, answer.time], [expected.results, time]);
    if (expected.isChange) {
      assert.ok(answer.revision > this.model.revision, `revision ${answer.revision} after ${this.model.revision}`);
      this.model.apply(command, answer.revision, time);
      this.seen.add(command.operations.length === 1 ? command.operations[0]!.kind : "several");
    } else if (command.id === undefined) group.idle.push({ command, answer });
    else this.#checkIdle(command, answer, group.before);
    const { author, id } = command;
    if (id !== undefined)
      this.model.requests.push({ author, id, text, time, answer, operations: command.operations.length });
  }

  #expected(command: ModelCommand, time: number): Accepted | string {
    const { author, id } = command;
    const remembered = this.model.requests.filter((request) => request.author === author);
    const isFull = remembered.reduce((sum, { operations }) => sum + operations, 0) >= LIMITS.requestIds;
    if (id !== undefined && isFull) return "REQUEST_IDS_FULL";
    try {
      return this.model.resultOf(command, time);
    } catch (error) {
      if (error instanceof Refusal) return error.reason;
      throw error;
    }
  }

  /**
   * The revision of a command with one operation that changed nothing is that of the secret's last change. If the
   * command has an id and that change is a part of the same group, the answer can have a later revision.
   */
  #checkIdle({ operations, id }: ModelCommand, { revision }: ChangeResult, before: number): void {
    this.seen.add("idle");
    const last = operations.length > 1 ? before : this.model.secrets.get(operations[0]!.path)!.revision;
    if (operations.length > 1 || (id !== undefined && last > before)) assert.ok(revision >= last);
    else assert.equal(revision, last);
  }
}

/**
 * The indexes of the commands in the order in which they take effect: first the first command of each caller, in order of
 * arrival, then the second of each, and so on.
 */
function inTurns(commands: readonly ModelCommand[]): number[] {
  const count = new Map<string, number>();
  const turns = commands.map(({ author }) => {
    const turn = count.get(author) ?? 0;
    count.set(author, turn + 1);
    return turn;
  });
  const callers = [...count.keys()];
  const place = (i: number) => turns[i]! * callers.length + callers.indexOf(commands[i]!.author);
  return [...commands.keys()].sort((a, b) => place(a) - place(b));
}

/** The request of a command as text. It is the same for two commands that differ only in the order of map entries. */
function textOf({ operations, guards }: ModelCommand): string {
  const lists = new Set(["removed", "unset"]);
  const normal = operations.map((one) => (one.kind === "metadata" ? { set: {}, unset: [], ...one } : one));
  return JSON.stringify([normal, guards], (key, value: unknown) => {
    if (Array.isArray(value)) return lists.has(key) ? [...value].sort() : value;
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** The same command for the store. A repetition has its keys in another order. */
function changeCommand({ author, operations, guards, id }: ModelCommand): ChangeCommand {
  return {
    author,
    operations: operations.map(operationCommand),
    guards: guards.map(({ path, expected }) => ({ path: parseSecretPath(path), expectedVersion: expected })),
    requestId: id,
  };
}

function operationCommand(operation: ModelOperation): OperationCommand {
  const target = { path: parseSecretPath(operation.path), expectedVersion: operation.expected };
  switch (operation.kind) {
    case "put":
      return { kind: "put", ...target, plaintext: encoded(operation.values), expiry: expiryOf(operation) };
    case "patch":
      return { kind: "patch", ...target, plaintext: encoded(operation.values), removed: operation.removed };
    case "copy":
      return { kind: "copy", ...target, source: parseSecretPath(operation.source), version: operation.version };
    case "purge":
      return { kind: "purge", ...target };
    case "metadata":
      return {
        kind: "metadata",
        ...target,
        update: {
          maxVersions: operation.maxVersions,
          setLabels: Object.entries(operation.set ?? {}),
          removedLabels: operation.unset ?? [],
          description: operation.description,
          defaultTtl: operation.ttl,
          casRequired: operation.cas,
        },
      };
    default:
      return { kind: operation.kind, ...target, versions: operation.versions };
  }
}

function expiryOf({ at, after }: { readonly at?: number; readonly after?: number }): Expiry {
  if (at !== undefined) return { kind: "at", time: at };
  return after === undefined ? { kind: "default" } : { kind: "after", ms: after };
}

let order = 1;

/** The encoded values. The value of "bytes" is binary. The order of the keys differs from call to call. */
export function encoded(values: Values): Buffer {
  const entries = Object.entries(values).map(
    ([key, value]): ContentEntry => ({ key, kind: key === "bytes" ? "binary" : "text", value: Buffer.from(value) }),
  );
  order = -order;
  return encodeContent(Content.unchecked(order > 0 ? entries : entries.reverse()));
}
