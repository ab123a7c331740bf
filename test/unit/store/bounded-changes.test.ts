import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CofferError, storeFull } from "../../../src/domain/errors.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import { BoundedChanges, unansweredMemory } from "../../../src/store/bounded-changes.ts";
import type { Changes } from "../../../src/store/changes.ts";
import type { ChangeCommand, ChangeResult, OperationCommand } from "../../../src/store/command.ts";
import { commandOf } from "../../support/store-kit.ts";

const ANSWER: ChangeResult = { revision: 1, time: 0, results: [] };

/** Changes that the test answers, in order of arrival. */
class HeldChanges implements Changes {
  readonly held: { readonly answer: () => void; readonly refuse: (error: Error) => void }[] = [];

  change(): Promise<ChangeResult> {
    return new Promise((resolve, reject) => this.held.push({ answer: () => resolve(ANSWER), refuse: reject }));
  }
}

const path = parseSecretPath("shop/api/db");

let callers = 0;

/** A command of a caller that has no other one. */
function ofNewCaller(...operations: OperationCommand[]): ChangeCommand {
  callers += 1;
  return { ...commandOf(...operations), author: `spiffe://example.org/${callers}` };
}

function put(changes: Changes, ...plaintexts: Buffer[]): Promise<ChangeResult> {
  const operation = (plaintext: Buffer): OperationCommand => {
    return { kind: "put", path, plaintext, expectedVersion: undefined, expiry: { kind: "default" } };
  };
  return changes.change(ofNewCaller(...plaintexts.map(operation)));
}

function remove(changes: Changes): Promise<ChangeResult> {
  return changes.change(ofNewCaller({ kind: "delete", path, versions: [], expectedVersion: undefined }));
}

const isQueueFull = (error: unknown) =>
  error instanceof CofferError && error.reason === "QUEUE_FULL" && error.retryDelayMs === 1000;

describe("bounded changes", () => {
  // A disk that stalls for seconds would otherwise collect all changes that arrive, and answer each of them late.
  it("refuse a Put and a Delete above the limit, and pass neither of them on", async () => {
    const inner = new HeldChanges();
    const changes = new BoundedChanges(inner, 2);
    const passed = [put(changes), remove(changes)];
    await assert.rejects(put(changes), isQueueFull);
    await assert.rejects(remove(changes), isQueueFull);
    assert.equal(inner.held.length, 2);
    for (const { answer } of inner.held) answer();
    assert.equal((await Promise.all(passed)).length, 2);
  });

  // While a commit blocks the store thread, the thread takes nothing from its ports and can't count. So each front
  // counts the changes of the whole process.
  it("share one limit among threads, and count no refused change", async () => {
    const memory = unansweredMemory();
    const fronts = [new HeldChanges(), new HeldChanges()] as const;
    const [one, other] = fronts.map((inner) => new BoundedChanges(inner, 2, memory));
    const first = [put(one!), put(other!)];
    for (const changes of [one!, other!, one!]) await assert.rejects(put(changes), isQueueFull);
    fronts[0].held[0]!.answer();
    await first[0];
    const third = put(other!);
    await assert.rejects(put(one!), isQueueFull);
    for (const { answer } of fronts[1].held) answer();
    assert.equal((await Promise.all([first[1], third])).length, 2);
    assert.deepEqual(
      fronts.map(({ held }) => held.length),
      [1, 2],
    );
  });

  it("accept another one after an answer, and after a refusal of the store", async () => {
    const inner = new HeldChanges();
    const changes = new BoundedChanges(inner, 1);
    for (const settle of ["answer", "refuse"] as const) {
      const change = put(changes);
      await assert.rejects(put(changes), isQueueFull);
      inner.held.at(-1)![settle](storeFull(1));
      await change.catch(() => {});
    }
    const last = put(changes);
    inner.held.at(-1)!.answer();
    assert.equal((await last).revision, 1);
  });

  // The limit is that of the process, whichever front its callers are connected to.
  it("count together if they have the same memory", async () => {
    const inner = new HeldChanges();
    const memory = unansweredMemory();
    const [one, other] = [new BoundedChanges(inner, 2, memory), new BoundedChanges(inner, 2, memory)];
    const passed = [put(one), put(other)];
    for (const changes of [one, other]) await assert.rejects(put(changes), isQueueFull);
    for (const { answer } of inner.held) answer();
    await Promise.all(passed);
    const later = put(one);
    inner.held.at(-1)!.answer();
    assert.equal((await later).revision, 1);
  });

  // Without this, one caller could fill the queue with its changes, and those of all others would be refused.
  it("accept half of what the other callers leave from one caller, and at least one if there is space", async () => {
    const inner = new HeldChanges();
    const changes = new BoundedChanges(inner, 8);
    const ofOne = () => changes.change(commandOf({ kind: "purge", path, expectedVersion: undefined }));
    const passed = [ofOne(), ofOne(), ofOne(), ofOne()];
    await assert.rejects(ofOne(), isQueueFull);
    passed.push(put(changes), put(changes));
    await assert.rejects(ofOne(), isQueueFull, "the others have taken a part of its half");
    passed.push(put(changes), put(changes));
    await assert.rejects(put(changes), isQueueFull, "there is no space");
    inner.held[0]!.answer();
    await passed[0];
    passed.push(put(changes));
    for (const { answer } of inner.held) answer();
    await Promise.all(passed);
    const again = [ofOne(), ofOne(), ofOne(), ofOne()];
    await assert.rejects(ofOne(), isQueueFull);
    for (const { answer } of inner.held) answer();
    await Promise.all(again);
  });

  // Each front knows only its own changes of a caller.
  it("leave a place free on every number of fronts, however many changes one caller has", async () => {
    for (const fronts of [1, 2, 3, 8]) {
      const memory = unansweredMemory();
      const inner = new HeldChanges();
      const all = Array.from({ length: fronts }, () => new BoundedChanges(inner, 90, memory));
      const ofOne = (on: Changes) => on.change(commandOf({ kind: "purge", path, expectedVersion: undefined }));
      const outcomes = Array.from({ length: 90 }, () => all.map((on) => ofOne(on).catch(isQueueFull)));
      await new Promise(setImmediate);
      assert.ok(inner.held.length <= (90 * fronts) / (fronts + 1), `${inner.held.length} on ${fronts} fronts`);
      assert.ok(inner.held.length >= 90 / 2 - 1);
      const other = put(all[0]!);
      for (const { answer } of inner.held) answer();
      assert.equal((await other).revision, 1);
      await Promise.all(outcomes.flat());
    }
  });

  // The store overwrites the plaintext of each change it gets. A refused change never reaches the store.
  it("overwrite the plaintexts of a command that they refuse", async () => {
    const inner = new HeldChanges();
    const changes = new BoundedChanges(inner, 1);
    const [first, second, third] = ["passed", "refused", "as well"].map((text) => Buffer.from(text)) as Buffer[];
    const passed = put(changes, first!);
    await assert.rejects(put(changes, second!, third!), isQueueFull);
    assert.ok(second!.equals(Buffer.alloc(7)));
    assert.ok(third!.equals(Buffer.alloc(7)));
    assert.equal(first!.toString(), "passed");
    inner.held[0]!.answer();
    await passed;
  });
});
