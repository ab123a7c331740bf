import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import type { PutChange } from "../../../src/store/change.ts";
import { versionContext } from "../../../src/sealing/context.ts";
import type { CommitOutcome, JournalEntry, Revision } from "../../../src/store/journal.ts";
import { encodeContent } from "../../../src/store/content-format.ts";
import { plainSealer } from "../../support/plain-sealer.ts";
import { ScriptedJournal } from "../../support/scripted-journal.ts";
import { AUTHOR, deleteRequest, loadStore, outcomeOf, putRequest, read, textContent } from "../../support/store-kit.ts";

function foreignPut(path: string, version: number, value: string): { changes: PutChange[] } {
  const sealed = plainSealer.seal(encodeContent(textContent(value)), versionContext(path, version));
  return {
    changes: [{ kind: "put", path: parseSecretPath(path), version, sealed, time: 1, author: AUTHOR, pruned: [] }],
  };
}

describe("a group", () => {
  // What arrives in one turn of the event loop is one commit; what arrives later is another.
  it("is what one turn of the event loop brings", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await Promise.all(["a", "b", "c"].map((path) => store.put(putRequest(path, "1"))));
    await store.put(putRequest("d", "1"));
    assert.deepEqual(journal.groups, [3, 1]);
  });

  // Each operation sees the accepted ones before it, and none of the refused ones.
  it("is validated in the order of arrival", async () => {
    const store = await loadStore(new ScriptedJournal());
    const outcomes = await Promise.all([
      outcomeOf(store.put(putRequest("a", "first", 0))),
      outcomeOf(store.put(putRequest("a", "refused", 0))),
      outcomeOf(store.put(putRequest("a", "second", 1))),
      outcomeOf(store.delete(deleteRequest("a", [1]))),
      outcomeOf(store.put(putRequest("a", "third"))),
    ]);
    const versions = outcomes.map((outcome) => (typeof outcome === "string" ? outcome : Object.values(outcome)[0]));
    assert.deepEqual(versions, [1, "VERSION_MISMATCH", 2, [1], 3]);
    assert.deepEqual(
      [1, 2, 3].map((version) => read(store, "a", version)),
      ["VERSION_DELETED", "second", "third"],
    );
  });

  // Memory shows nothing before the journal has committed, and a refusal that rests on an uncommitted change waits too.
  it("is neither readable nor answered before it is committed", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    let release = () => {};
    journal.beforeCommit = () => new Promise((resolve) => (release = resolve));
    const put = store.put(putRequest("a", "1", 0));
    const refused = outcomeOf(store.put(putRequest("a", "2", 0)));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.equal(read(store, "a"), "SECRET_NOT_FOUND");
    const early = await Promise.race([put, refused, new Promise((resolve) => setImmediate(resolve, "nothing"))]);
    assert.equal(early, "nothing");
    release();
    assert.equal((await put).version, 1);
    assert.equal(await refused, "VERSION_MISMATCH");
    assert.equal(read(store, "a"), "1");
  });

  // A delete of what is deleted changes nothing and is no commit; it answers the secret's last revision.
  it("without a change is not committed", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.put(putRequest("a", "1"));
    const first = await store.delete(deleteRequest("a"));
    const again = await store.delete(deleteRequest("a"));
    assert.deepEqual(first.versions, [1]);
    assert.deepEqual(again, { versions: [], revision: first.revision });
    assert.deepEqual(journal.groups, [1, 1]);
  });

  it("answers a delete of what the same group deletes with that group's revision", async () => {
    const store = await loadStore(new ScriptedJournal());
    await store.put(putRequest("a", "1"));
    const [first, again] = await Promise.all([store.delete(deleteRequest("a")), store.delete(deleteRequest("a"))]);
    assert.deepEqual(again, { versions: [], revision: first.revision });
  });
});

describe("a commit that is rejected", () => {
  // Nothing is applied, everybody hears so, and the store goes on.
  it("leaves memory as it was", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.put(putRequest("a", "kept"));
    journal.outcomes.push({ kind: "rejected", cause: new Error("disk full"), shortage: { free: 0, needed: 1 } });
    const group = [store.put(putRequest("a", "lost")), store.put(putRequest("b", "lost"))];
    assert.deepEqual(await Promise.all(group.map(outcomeOf)), ["DISK_FULL", "DISK_FULL"]);
    assert.equal(read(store, "a"), "kept");
    assert.equal(read(store, "b"), "SECRET_NOT_FOUND");
    assert.equal((await store.put(putRequest("a", "next"))).version, 2);
  });
});

describe("a commit of unknown outcome", () => {
  // Nothing is published, its callers hear that it is unknown, and no later change is even tried.
  it("ends all changes", async () => {
    const failures: unknown[] = [];
    const journal = new ScriptedJournal();
    const store = await loadStore(journal, { onFailed: (cause) => failures.push(cause) });
    await store.put(putRequest("a", "1"));
    const cause = new Error("EIO");
    journal.outcomes.push({ kind: "unknown", cause });
    assert.equal(await outcomeOf(store.put(putRequest("a", "2"))), "OUTCOME_UNKNOWN");
    assert.deepEqual(failures, [cause]);
    assert.equal(read(store, "a"), "1");
    assert.equal(await outcomeOf(store.put(putRequest("a", "3"))), "SHUTTING_DOWN");
    assert.deepEqual(journal.groups, [1]);
  });
});

describe("a stale commit", () => {
  // The store waits for what it missed, validates again against it, and seals again: the version is another one.
  it("is validated again after the feed", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    journal.beforeCommit = () => {
      journal.beforeCommit = () => {};
      journal.commitElsewhere(foreignPut("a", 1, "theirs"));
      setImmediate(() => journal.feed());
    };
    const put = await store.put(putRequest("a", "ours"));
    assert.equal(put.version, 2);
    assert.equal(read(store, "a", 1), "theirs");
    assert.equal(read(store, "a", 2), "ours");
  });

  it("is refused when what the feed brings contradicts it", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    journal.beforeCommit = () => {
      journal.beforeCommit = () => {};
      journal.commitElsewhere(foreignPut("a", 1, "theirs"));
      setImmediate(() => journal.feed());
    };
    assert.equal(await outcomeOf(store.put(putRequest("a", "ours", 0))), "VERSION_MISMATCH");
    assert.equal(read(store, "a"), "theirs");
  });

  // Other replicas that are faster every time end in ABORTED, not in a loop.
  it("gives up after some attempts", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    let version = 0;
    journal.beforeCommit = () => {
      version += 1;
      journal.commitElsewhere(foreignPut("busy", version, "theirs"));
      setImmediate(() => journal.feed());
    };
    assert.equal(await outcomeOf(store.put(putRequest("a", "ours"))), "CONTENTION");
    assert.equal(read(store, "a"), "SECRET_NOT_FOUND");
    journal.beforeCommit = () => {};
    assert.equal((await store.put(putRequest("a", "ours"))).version, 1);
  });

  // A feed may bring this process's own commits too; they are applied once.
  it("takes its own commits from the feed without applying them twice", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.put(putRequest("a", "1"));
    journal.feed(journal.entries);
    assert.equal(store.totals.versions, 1);
    journal.commitElsewhere(foreignPut("a", 2, "theirs"));
    journal.feed();
    assert.equal(store.totals.versions, 2);
  });
});

// A feed may overtake the answer to a commit: what others did next is known before our own is heard to have succeeded.
it("publishes its own commit before the feed's later one", async () => {
  const journal = new (class extends ScriptedJournal {
    override async commit(group: readonly JournalEntry[], validatedAt: Revision): Promise<CommitOutcome> {
      const outcome = await super.commit(group, validatedAt);
      if (this.entries.length === 1) this.commitElsewhere(foreignPut("a", 2, "theirs"));
      this.feed();
      return outcome;
    }
  })();
  const store = await loadStore(journal);
  assert.equal((await store.put(putRequest("a", "ours"))).version, 1);
  assert.equal(read(store, "a", 1), "ours");
  assert.equal(read(store, "a", 2), "theirs");
  assert.equal((await store.put(putRequest("a", "ours again"))).version, 3);
});

// The clock may run backwards; the times of changes do not.
it("clamps times to those before", async () => {
  const journal = new ScriptedJournal();
  let now = 5000;
  const { processTimers } = await import("../../../src/domain/timers.ts");
  const store = await loadStore(journal, { timers: { ...processTimers, clock: () => now } });
  assert.equal((await store.put(putRequest("a", "1"))).createTime, 5000);
  now = 3000;
  assert.equal((await store.put(putRequest("a", "2"))).createTime, 5000);
  const reopened = await loadStore(journal, { timers: { ...processTimers, clock: () => now } });
  assert.equal((await reopened.put(putRequest("b", "3"))).createTime, 5000);
});

// A Put beyond the limit is refused and changes nothing; reading, deleting and replacing within it go on.
it("refuses to grow beyond its limit", async () => {
  const journal = new ScriptedJournal();
  const measure = await loadStore(new ScriptedJournal());
  await measure.put(putRequest("a", "1"));
  const store = await loadStore(journal, { maxStoreBytes: measure.totals.bytes });
  await store.put(putRequest("a", "1"));
  assert.equal(await outcomeOf(store.put(putRequest("b", "1"))), "STORE_FULL");
  assert.equal(read(store, "a"), "1");
  assert.deepEqual((await store.delete(deleteRequest("a"))).versions, [1]);
  const smaller = await loadStore(journal, { maxStoreBytes: 1 });
  assert.equal(read(smaller, "a"), "VERSION_DELETED");
});
