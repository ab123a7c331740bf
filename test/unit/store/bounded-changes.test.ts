import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CofferError, storeFull } from "../../../src/domain/errors.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import { BoundedChanges, unansweredMemory } from "../../../src/store/bounded-changes.ts";
import type { Changes } from "../../../src/store/changes.ts";
import type { DeleteResult, PutResult } from "../../../src/store/operation.ts";

const ANSWER = { version: 1, revision: 1, createTime: 0, versions: [] };

/** Changes that the test answers, in order of arrival. */
class HeldChanges implements Changes {
  readonly held: { readonly answer: () => void; readonly refuse: (error: Error) => void }[] = [];

  put(): Promise<PutResult> {
    return this.#hold();
  }

  delete(): Promise<DeleteResult> {
    return this.#hold();
  }

  #hold(): Promise<typeof ANSWER> {
    return new Promise((resolve, reject) => this.held.push({ answer: () => resolve(ANSWER), refuse: reject }));
  }
}

const path = parseSecretPath("shop/api/db");

function put(changes: Changes, plaintext = Buffer.from("secret")): Promise<PutResult> {
  return changes.put({ path, plaintext, expectedVersion: undefined, author: "spiffe://example.org/a" });
}

function remove(changes: Changes): Promise<DeleteResult> {
  return changes.delete({ path, versions: [], expectedVersion: undefined, author: "spiffe://example.org/a" });
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

  // While a commit blocks the store thread, it takes nothing from its ports. Each front has to count for the process.
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
    assert.equal((await last).version, 1);
  });

  // The limit is that of the process, whichever front its callers are connected to.
  it("count the changes of all that have the same memory", async () => {
    const inner = new HeldChanges();
    const memory = unansweredMemory();
    const [one, other] = [new BoundedChanges(inner, 2, memory), new BoundedChanges(inner, 2, memory)];
    const passed = [put(one), put(other)];
    for (const changes of [one, other]) await assert.rejects(put(changes), isQueueFull);
    for (const { answer } of inner.held) answer();
    await Promise.all(passed);
    const later = put(one);
    inner.held.at(-1)!.answer();
    assert.equal((await later).version, 1);
  });

  // The store overwrites the plaintext of a change that it gets. It does not get this one.
  it("overwrite the plaintext of a Put that they refuse", async () => {
    const inner = new HeldChanges();
    const changes = new BoundedChanges(inner, 1);
    const [first, second] = [Buffer.from("passed"), Buffer.from("refused")];
    const passed = put(changes, first);
    await assert.rejects(put(changes, second), isQueueFull);
    assert.ok(second.equals(Buffer.alloc(7)));
    assert.equal(first.toString(), "passed");
    inner.held[0]!.answer();
    await passed;
  });
});
