import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import { encodeContent } from "../../../src/store/content-format.ts";
import { type Deadline, DeadlineQueue } from "../../../src/store/deadline-queue.ts";
import type { SecretStore } from "../../../src/store/secret-store.ts";
import { StoreClock } from "../../../src/store/store-clock.ts";
import { Sweeper } from "../../../src/store/sweeper.ts";
import { ManualTimers } from "../../support/manual-timers.ts";
import { ScriptedJournal } from "../../support/scripted-journal.ts";
import { DAY_MS, commandOf, loadStore, outcomeOf, putRequest, read, textContent } from "../../support/store-kit.ts";

function putExpiring(path: string, ms: number) {
  const plaintext = encodeContent(textContent("short-lived"));
  const expiry = { kind: "after", ms } as const;
  return commandOf({ kind: "put", path: parseSecretPath(path), plaintext, expectedVersion: undefined, expiry });
}

const purgeRequest = (path: string) =>
  commandOf({ kind: "purge", path: parseSecretPath(path), expectedVersion: undefined });

/** Puts 600 versions that expire after a second. */
async function putManyExpiring(store: SecretStore): Promise<void> {
  for (let i = 0; i < 600; i += 100) {
    const operations = Array.from({ length: 100 }, (_, j) => putExpiring(`p/${i + j}`, 1000).operations[0]!);
    await store.change(commandOf(...operations));
  }
}

/** A store with a sweeper, on clocks that the test advances. */
async function sweptStore() {
  const timers = new ManualTimers(1_700_000_000_000);
  const journal = new ScriptedJournal();
  // The changes of groups run on real turns of the event loop.
  const load = () => loadStore(journal, { timers, clock: new StoreClock(timers), tombstoneRetentionMs: 90 * DAY_MS });
  const store = await load();
  const failures: unknown[] = [];
  const sweeper = new Sweeper({ store, timers, onFailed: (error) => failures.push(error) });
  const settled = async () => {
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    await store.settled();
    await new Promise((resolve) => setImmediate(resolve));
  };
  await settled();
  return { timers, journal, store, load, sweeper, failures, settled };
}

describe("the sweeper", () => {
  // The first erasure after a start reads the whole database, because earlier processes can have left copies in any page. The
  // server waits for it before it accepts calls (test/integration/first-erasure.test.ts), so that no Destroy of a caller has to.
  it("begins with an erasure, although nothing has expired", async () => {
    const { journal, sweeper } = await sweptStore();
    assert.equal(journal.erasures, 1);
    await sweeper.firstErasure;
  });

  // A start waits for one commit only, however many versions have expired.
  it("reports the first erasure after its first commit", async () => {
    const { timers, journal, store, load, sweeper, failures } = await sweptStore();
    sweeper.stop();
    await putManyExpiring(store);
    timers.advance(1000);
    const [entries, erasures] = [journal.entries.length, journal.erasures];
    const restarted = new Sweeper({ store: await load(), timers, onFailed: (error) => failures.push(error) });
    await restarted.firstErasure;
    assert.deepEqual([journal.entries.length - entries, journal.erasures - erasures], [1, 1]);
    restarted.stop();
  });

  // The disk can be full at the start. The server serves reads then.
  it("does not delay the start if the first commit fails", async () => {
    const { timers, journal, store, load, sweeper, failures } = await sweptStore();
    sweeper.stop();
    await store.change(putExpiring("a", 1000));
    timers.advance(1000);
    journal.outcomes.push({ kind: "rejected", cause: new Error("disk full"), shortage: { free: 0, needed: 1 } });
    const restarted = new Sweeper({ store: await load(), timers, onFailed: (error) => failures.push(error) });
    await restarted.firstErasure;
    assert.equal(failures.length, 1);
    restarted.stop();
  });

  it("removes the content of expired versions within a minute, as a change of the server", async () => {
    const { timers, journal, store, sweeper, settled } = await sweptStore();
    await store.change(putExpiring("a", 60_000));
    await store.change(putRequest("b", "kept"));
    timers.advance(59_000);
    await settled();
    assert.equal(journal.entries.length, 2);
    for (let seconds = 0; seconds < 60; seconds += 5) {
      timers.advance(5000);
      await settled();
    }
    const [version] = store.snapshot().secret(parseSecretPath("a")).versions;
    assert.deepEqual([version?.state.kind, version?.state.by, version?.sealed.length], ["expired", "", 0]);
    assert.ok(version!.state.time <= version!.expireTime! + 60_000);
    assert.equal(read(store, "b"), "kept");
    assert.equal(journal.entries.length, 3);
    assert.ok(journal.erasures > 0);
    sweeper.stop();
  });

  // Until the removal, a Put continues the version numbers. After it, they begin with 1.
  it("removes a tombstone when its retention has passed", async () => {
    const { timers, store, sweeper, settled } = await sweptStore();
    for (const path of ["a", "b"]) {
      await store.change(putRequest(path, "1"));
      await store.change(purgeRequest(path));
    }
    const { bytes } = store.totals;
    timers.advance(90 * DAY_MS - 1000);
    await settled();
    assert.deepEqual((await store.change(putRequest("a", "2"))).results[0]?.versions, [2]);
    timers.advance(20_000);
    await settled();
    assert.ok(store.totals.bytes < bytes + 400, "the tombstone of b takes no more memory");
    assert.equal(await outcomeOf(store.change(putRequest("b", "2", 1))), "VERSION_MISMATCH");
    assert.deepEqual((await store.change(putRequest("b", "2", 0))).results[0]?.versions, [1]);
    assert.equal(read(store, "a"), "2");
    sweeper.stop();
  });

  it("forgets requests after 24 hours, which makes space for new ones", async () => {
    const { timers, store, sweeper, settled } = await sweptStore();
    const before = store.totals.bytes;
    const id = "9f4c0b6e-7a52-4d0c-8f0e-000000000001";
    const first = await store.change({ ...putRequest("a", "1"), requestId: id });
    timers.advance(DAY_MS - 16_000);
    await settled();
    assert.deepEqual(await store.change({ ...putRequest("a", "1"), requestId: id }), first);
    for (let seconds = 0; seconds < 45; seconds += 15) {
      timers.advance(15_000);
      await settled();
    }
    assert.deepEqual((await store.change({ ...putRequest("a", "1"), requestId: id })).results[0]?.versions, [2]);
    assert.ok(store.totals.bytes > before);
    sweeper.stop();
  });

  // A caller can repeat a request at the moment at which it is forgotten.
  it("answers a repetition in the group in which its request is forgotten, before and after the sweep", async () => {
    const { timers, journal, store, sweeper, settled, failures } = await sweptStore();
    const requests = ["1", "2"].map((digit) => ({
      ...putRequest("a", digit),
      requestId: `9f4c0b6e-7a52-4d0c-8f0e-00000000000${digit}`,
    }));
    const repeat = (index: number) =>
      store.change({ ...putRequest("a", `${index + 1}`), ...{ requestId: requests[index]!.requestId } });
    const first = [await store.change(requests[0]!), await store.change(requests[1]!)];
    timers.advance(DAY_MS - 10_000);
    await settled();
    const { erasures } = journal;
    const before = repeat(0);
    timers.advance(15_000);
    const after = repeat(1);
    assert.deepEqual([await before, await after], first);
    await settled();
    assert.deepEqual([store.requestIds, failures], [0, []]);
    // A request has no content, so nothing has to be erased from the log.
    assert.equal(journal.erasures, erasures);
    assert.deepEqual((await repeat(1)).results[0]?.versions, [3]);
    sweeper.stop();
  });

  it("tries again if a sweep fails, and ends when it is stopped", async () => {
    const { timers, journal, store, sweeper, failures, settled } = await sweptStore();
    await store.change(putExpiring("a", 1000));
    journal.outcomes.push({ kind: "rejected", cause: new Error("disk full"), shortage: { free: 0, needed: 1 } });
    timers.advance(15_000);
    await settled();
    assert.equal(failures.length, 1);
    timers.advance(15_000);
    await settled();
    assert.equal(store.snapshot().secret(parseSecretPath("a")).versions[0]?.state.kind, "expired");
    sweeper.stop();
    await store.change(putExpiring("b", 1000));
    timers.advance(120_000);
    await settled();
    assert.equal(store.snapshot().secret(parseSecretPath("b")).versions[0]?.state.kind, "live");
    assert.deepEqual(timers.pauses, []);
  });

  // Between two commits of a sweep, the changes of callers are committed.
  it("removes many versions in bounded commits, also after a restart", async () => {
    const { timers, journal, store, load, sweeper } = await sweptStore();
    sweeper.stop();
    await putManyExpiring(store);
    timers.advance(1000);
    const reopened = await load();
    const entries = journal.entries.length;
    await reopened.sweep();
    assert.deepEqual(
      journal.entries.slice(entries).map(({ changes }) => changes.length),
      [256, 256, 88],
    );
    assert.equal(journal.entries.at(-1)?.changes[0]?.author, "");
    await reopened.sweep();
    assert.equal(journal.entries.length, entries + 3);
  });

  // At a shutdown, the journal is closed when the store has settled. A commit after that would end the process as a failed
  // one does.
  it("commits nothing more when it was stopped during a sweep and the store has settled", async () => {
    const { timers, journal, store, sweeper, failures, settled } = await sweptStore();
    await putManyExpiring(store);
    const entries = journal.entries.length;
    timers.advance(15_000);
    sweeper.stop();
    await store.settled();
    const committed = journal.entries.length - entries;
    await settled();
    assert.deepEqual([committed, journal.entries.length - entries, failures], [1, 1, []]);
  });
});

describe("a queue of deadlines", () => {
  it("returns those that have passed and apply, earliest first", () => {
    const cancelled = new Set<Deadline>();
    const queue = new DeadlineQueue<Deadline>((deadline) => !cancelled.has(deadline));
    let random = 7;
    const all = Array.from({ length: 3000 }, () => {
      random = (random * 48_271) % 2_147_483_647;
      return { time: random % 1000 };
    });
    for (const deadline of all) queue.add(deadline);
    for (const [i, deadline] of all.entries()) if (i % 3 === 0) cancelled.add(deadline);
    const taken: number[] = [];
    for (const time of [-1, 0, 250, 251, 999]) {
      for (let due = queue.takeDue(time, 10); due.length > 0; due = queue.takeDue(time, 10)) {
        assert.ok(due.every((deadline) => deadline.time <= time));
        taken.push(...due.map((deadline) => deadline.time));
      }
    }
    const expected = all.filter((deadline) => !cancelled.has(deadline)).map(({ time }) => time);
    assert.deepEqual(
      taken,
      expected.sort((a, b) => a - b),
    );
    assert.equal(queue.size, 0);
  });

  // Secrets that are put again and again with a time to live would otherwise fill the memory.
  it("does not keep deadlines that no longer apply", () => {
    let last: Deadline | undefined;
    const queue = new DeadlineQueue<Deadline>((deadline) => deadline === last);
    for (let i = 0; i < 100_000; i++) {
      last = { time: 1_000_000 - i };
      queue.add(last);
    }
    assert.ok(queue.size <= 1024, `${queue.size}`);
    assert.deepEqual(queue.takeDue(2_000_000, 10), [last]);
  });
});
