import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Contents, type FollowedChange, FollowedStore } from "../../support/followed-store.ts";

const PATHS = 6;
const FRONTS = 3;

const path = fc.nat({ max: PATHS - 1 });
/**
 * Lengths of contents. A chunk contains many of the short ones and few of the long ones; one above 16 KiB has a chunk
 * of its own.
 */
const bytes = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 8000, max: 17_000 }));
const change: fc.Arbitrary<FollowedChange> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("put" as const), path, bytes }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom("delete", "undelete", "destroy", "purge" as const), path }),
  },
);

type Step =
  | { readonly kind: "publish"; readonly changes: readonly FollowedChange[] }
  | { readonly kind: "deliver"; readonly front: number; readonly count: number }
  | { readonly kind: "wait" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("publish" as const),
        changes: fc.array(change, { minLength: 1, maxLength: 25 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("deliver" as const),
        // The first front lags most.
        front: fc.constantFrom(0, 1, 1, 2, 2, 2, 2),
        count: fc.constantFrom(1, 1, 2, 30),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "wait" as const }) },
  ),
  { minLength: 20, maxLength: 60 },
);

/** A store, what it contained after each publication, and how many of them each front has applied. */
class Run {
  readonly store = new FollowedStore(FRONTS, PATHS);
  readonly #published: Contents[] = [this.store.read(this.store.feed.memory)];
  readonly #applied = this.store.fronts.map(() => 0);

  take(step: Step): void {
    if (step.kind === "publish") {
      this.store.publish(step.changes);
      this.#published.push(this.store.read(this.store.feed.memory));
    } else if (step.kind === "wait") this.store.wait();
    else this.#deliver(step.front, step.count);
  }

  /** Every front contains what the store thread contained after the same publication, to the byte. */
  check(): void {
    this.store.fronts.forEach(({ replica }, i) => {
      assert.deepEqual(this.store.read(replica.memory), this.#published[this.#applied[i]!], `front ${i}`);
    });
  }

  get mostLag(): number {
    return this.#published.length - 1 - Math.min(...this.#applied);
  }

  catchUp(): void {
    this.store.fronts.forEach((_, front) => void this.#deliver(front, this.#published.length));
    this.store.wait();
  }

  /** The number of bytes in the chunks that are not zero and belong to no version. No content has a zero byte. */
  get strayBytes(): number {
    const stored = [...this.store.read(this.store.feed.memory).values()].flat();
    const lengths = stored.map((text): number => JSON.parse(text).length ?? 0);
    const inUse = this.store.chunks.reduce((sum, chunk) => sum + nonZero(new Uint8Array(chunk)), 0);
    return inUse - lengths.reduce((sum, length) => sum + length, 0);
  }

  #deliver(front: number, count: number): void {
    const { port } = this.store.fronts[front]!;
    const before = port.waiting;
    port.deliver(count);
    this.#applied[front] = this.#applied[front]! + before - port.waiting;
  }
}

/** Shows whether a promise is resolved. */
function watched(promise: Promise<void>): { readonly isDone: boolean } {
  const state = { isDone: false };
  void promise.then(() => {
    state.isDone = true;
  });
  return state;
}

function nonZero(bytes: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) count += 1;
  return count;
}

describe("contents in shared memory", () => {
  // After any series of Puts, deletions, prunes and moves, each front contains what the store thread contained after
  // the publication that the front applied last. A front that is many publications behind still finds every byte, since
  // nothing that it can read was overwritten. When all fronts have caught up, the bytes of everything that was pruned or
  // moved are zero.
  it("are the same on every front after the same publication", () => {
    const lags: number[] = [];
    let discarded = 0;
    let reused = 0;
    fc.assert(
      fc.property(steps, steps, (early, late) => {
        const run = new Run();
        const take = (step: Step) => {
          run.take(step);
          run.check();
          lags.push(run.mostLag);
        };
        early.forEach(take);
        // The chunks without contents are free now. Later contents are placed in their memory.
        run.catchUp();
        late.forEach(take);
        discarded += run.strayBytes > 0 ? 1 : 0;
        reused += run.store.reused;
        run.catchUp();
        run.check();
        assert.equal(run.strayBytes, 0, "bytes that no version has");
      }),
      { numRuns: 75 },
    );
    assert.ok(Math.max(...lags) > 20, "a front was far behind");
    assert.ok(discarded > 10, "discarded bytes were kept until a front had applied the publication");
    assert.ok(reused > 10, "chunks were created in memory of earlier ones");
  });

  // The bytes of a pruned version are overwritten when the last front has applied the publication that pruned it, and
  // not before.
  it("are overwritten when no front can read them any more", () => {
    const store = new FollowedStore(2, 1);
    const [quick, slow] = store.fronts;
    const put = (byte: number) => store.publish([{ kind: "put", path: 0, bytes: byte }]);
    for (let version = 1; version <= 10; version++) put(version);
    for (const { port } of store.fronts) port.deliver(10);
    const first = new Uint8Array(store.chunks[0]!, 0, 1);
    assert.equal(first[0], 2);
    put(11);
    store.wait();
    quick!.port.deliver(1);
    store.wait();
    assert.equal(first[0], 2, "one front can still read it");
    assert.match(String(store.read(slow!.replica.memory).get(0)?.[0]), /"number":1,.*"byte":2/);
    slow!.port.deliver(1);
    store.wait();
    assert.equal(first[0], 0);
    assert.match(String(store.read(slow!.replica.memory).get(0)?.[0]), /"number":2,/);
  });

  // A Destroy is answered when this promise resolves. Until then, one front can still read the content; after it, no
  // thread has it. The bytes are overwritten before the promise resolves, without another look at the fronts.
  for (const kind of ["destroy", "purge"] as const) {
    it(`are gone from the memory of all threads when a ${kind} can be answered`, async () => {
      const store = new FollowedStore(2, 1);
      const [quick, slow] = store.fronts;
      store.publish([{ kind: "put", path: 0, bytes: 9 }]);
      for (const { port } of store.fronts) port.deliver(1);
      const content = new Uint8Array(store.chunks[0]!, 0, 9);
      store.publish([{ kind, path: 0 }]);
      const erased = watched(store.feed.erased());
      quick!.port.deliver(1);
      await store.look();
      assert.equal(erased.isDone, false, "one front can still read it");
      assert.deepEqual(new Set(content), new Set([2]));
      slow!.port.deliver(1);
      await store.look();
      assert.equal(erased.isDone, true);
      assert.deepEqual(new Set(content), new Set([0]));
    });
  }

  // At a shutdown, the fronts have ended before the last changes are answered. No thread reads the memory any more.
  it("are gone when a feed is closed, whatever the fronts have applied", async () => {
    const store = new FollowedStore(2, 1);
    store.publish([
      { kind: "put", path: 0, bytes: 9 },
      { kind: "put", path: 0, bytes: 9 },
    ]);
    const content = new Uint8Array(store.chunks[0]!, 0, 18);
    store.publish([{ kind: "destroy", path: 0 }]);
    const before = watched(store.feed.erased());
    await store.look();
    assert.equal(before.isDone, false);
    store.feed.close();
    await store.look();
    assert.equal(before.isDone, true);
    assert.deepEqual(new Set(content), new Set([0]));
    store.publish([
      { kind: "put", path: 0, bytes: 7 },
      { kind: "purge", path: 0 },
    ]);
    await store.feed.erased();
    assert.deepEqual(new Set(new Uint8Array(store.chunks[0]!)), new Set([0]));
  });

  // V8 does not count shared memory when it decides when to collect garbage. If the memory of a chunk whose contents are
  // gone were left to the collectors of all threads, a store with a few contents of 1 MB would take gigabytes.
  it("use the memory of chunks whose contents are gone, without a garbage collection", () => {
    const store = new FollowedStore(2, 1);
    for (let version = 1; version <= 100; version++) {
      // Lengths that differ a little also fit.
      store.publish([{ kind: "put", path: 0, bytes: 17_000 + version }]);
      for (const { port } of store.fronts) port.deliver(1);
      store.wait();
    }
    assert.equal(store.reused, 100 - store.chunks.length, "each content has a chunk of its own");
    assert.equal(store.chunks.length, 11, "ten versions, and the one that is added before the oldest is pruned");
    assert.equal(store.read(store.fronts[0]!.replica.memory).get(0)?.length, 10);
  });

  it("do not use the memory of a chunk that a front can still read", () => {
    const store = new FollowedStore(2, 1);
    const [quick, slow] = store.fronts;
    for (let version = 1; version <= 30; version++) {
      store.publish([{ kind: "put", path: 0, bytes: 17_000 }]);
      quick!.port.deliver(1);
      store.wait();
    }
    assert.equal(store.reused, 0);
    slow!.port.deliver(30);
    store.wait();
    store.publish([{ kind: "put", path: 0, bytes: 17_000 }]);
    assert.equal(store.reused, 1, "no front can read it any more");
  });
});
