import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import type { PutChange } from "../../../src/store/change.ts";
import type { Sealer } from "../../../src/sealing/sealer.ts";
import { versionContext } from "../../../src/sealing/context.ts";
import type { ChangeCommand, ChangeResult, OperationCommand } from "../../../src/store/command.ts";
import type { CommitOutcome, JournalEntry } from "../../../src/store/journal.ts";
import type { Revision } from "../../../src/store/revision.ts";
import { encodeContent } from "../../../src/store/content-format.ts";
import { ownMemory } from "../../../src/store/publication.ts";
import { plainSealer } from "../../support/plain-sealer.ts";
import { ScriptedJournal } from "../../support/scripted-journal.ts";
import {
  AUTHOR,
  commandOf,
  deleteRequest,
  destroyRequest,
  loadStore,
  outcomeOf,
  putRequest,
  read,
  textContent,
} from "../../support/store-kit.ts";

function foreignPut(path: string, version: number, value: string): JournalEntry {
  const sealed = plainSealer.seal(encodeContent(textContent(value)), versionContext(path, version));
  const made = { path: parseSecretPath(path), time: 1, author: AUTHOR };
  const change: PutChange = { kind: "put", ...made, version, sealed, expireTime: undefined, rowsBefore: 0, pruned: [] };
  return { changes: [change], requests: undefined };
}

/** The versions in the result of a command with one operation. */
function versionsIn({ results: [result] }: ChangeResult): readonly number[] {
  return result!.versions;
}

/** The version that a Put added. */
async function added(put: ChangeResult | Promise<ChangeResult>): Promise<number> {
  return versionsIn(await put)[0]!;
}

const NO_UPDATE = {
  maxVersions: undefined,
  setLabels: [],
  removedLabels: [],
  description: undefined,
  defaultTtl: undefined,
  casRequired: undefined,
};

describe("a group", () => {
  // The operations that arrive in one turn of the event loop share one commit. Later ones get another.
  it("consists of the operations of one turn of the event loop", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await Promise.all(["a", "b", "c"].map((path) => store.change(putRequest(path, "1"))));
    await store.change(putRequest("d", "1"));
    assert.deepEqual(journal.groups, [3, 1]);
  });

  // A Copy is a small request, so thousands of them can arrive in one turn. Without a limit, their contents would be in
  // memory together.
  it("ends when its work is done, and the next one has the other commands in their order", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.change(putRequest("a", "x".repeat(1024 * 1024 - 5)));
    const path = parseSecretPath("a");
    const restore = commandOf({ kind: "copy", path, source: path, version: 1, expectedVersion: undefined });
    const keepFirst = { ...NO_UPDATE, maxVersions: 100 };
    await store.change(commandOf({ kind: "metadata", path, update: keepFirst, expectedVersion: undefined }));
    const answers = await Promise.all(Array.from({ length: 70 }, () => added(store.change(restore))));
    assert.deepEqual(
      answers,
      Array.from({ length: 70 }, (_, i) => i + 2),
    );
    assert.deepEqual(journal.groups, [1, 1, ...Array<number>(70).fill(1)]);
  });

  // Each operation is validated against the accepted operations before it. Refused operations have no effect.
  it("is validated in order of arrival", async () => {
    const store = await loadStore(new ScriptedJournal());
    const outcomes = await Promise.all([
      outcomeOf(store.change(putRequest("a", "first", 0))),
      outcomeOf(store.change(putRequest("a", "refused", 0))),
      outcomeOf(store.change(putRequest("a", "second", 1))),
      outcomeOf(store.change(deleteRequest("a", [1]))),
      outcomeOf(store.change(putRequest("a", "third"))),
    ]);
    const versions = outcomes.map((outcome) => (typeof outcome === "string" ? outcome : versionsIn(outcome)));
    assert.deepEqual(versions, [[1], "VERSION_MISMATCH", [2], [1], [3]]);
    assert.deepEqual(
      [1, 2, 3].map((version) => read(store, "a", version)),
      ["VERSION_DELETED", "second", "third"],
    );
  });

  // Reads do not see a change before the journal has committed it. A refusal that depends on an uncommitted change is
  // also answered after the commit.
  it("is not visible and not answered before the commit", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    let release = () => {};
    journal.beforeCommit = () => new Promise((resolve) => (release = resolve));
    const put = store.change(putRequest("a", "1", 0));
    const refused = outcomeOf(store.change(putRequest("a", "2", 0)));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.equal(read(store, "a"), "SECRET_NOT_FOUND");
    const early = await Promise.race([put, refused, new Promise((resolve) => setImmediate(resolve, "nothing"))]);
    assert.equal(early, "nothing");
    release();
    assert.equal(await added(put), 1);
    assert.equal(await refused, "VERSION_MISMATCH");
    assert.equal(read(store, "a"), "1");
  });

  // A Delete of a deleted version changes nothing and causes no commit. It returns the revision of the secret's last
  // change.
  it("without a change is not committed", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.change(putRequest("a", "1"));
    const first = await store.change(deleteRequest("a"));
    const again = await store.change(deleteRequest("a"));
    assert.deepEqual(versionsIn(first), [1]);
    assert.deepEqual([versionsIn(again), again.revision], [[], first.revision]);
    assert.deepEqual(journal.groups, [1, 1]);
  });

  it("answers the second of two equal Deletes with the revision of the first", async () => {
    const store = await loadStore(new ScriptedJournal());
    await store.change(putRequest("a", "1"));
    const [first, again] = await Promise.all([store.change(deleteRequest("a")), store.change(deleteRequest("a"))]);
    assert.deepEqual([versionsIn(again), again.revision], [[], first.revision]);
  });
});

describe("the work of a group", () => {
  const LARGE = "x".repeat(1024 * 1024 - "value".length);

  // A Patch of a few bytes decrypts and seals the whole content. Thousands can wait. In one group, they would block the
  // thread for minutes, and their contents would be in memory together.
  it("is bounded, and other work of the thread comes between two groups", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal, { maxContentBytes: 2 * LARGE.length });
    await store.change(putRequest("a", LARGE));
    const other = { kind: "patch", path: parseSecretPath("a"), removed: [], expectedVersion: undefined } as const;
    const patches = Array.from({ length: 8 }, (_, i) => {
      const plaintext = encodeContent(textContent(`${i}`, "other"));
      return store.change(commandOf({ ...other, plaintext }));
    });
    const last = store.change(putRequest("b", "last"));
    const groupsAtTurns: number[] = [];
    let isOver = false;
    const turn = () => {
      groupsAtTurns.push(journal.groups.length);
      if (!isOver) setImmediate(turn);
    };
    setImmediate(turn);
    assert.deepEqual(
      (await Promise.all(patches)).map(versionsIn),
      [2, 3, 4, 5, 6, 7, 8, 9].map((version) => [version]),
    );
    await last;
    isOver = true;
    assert.deepEqual(journal.groups, Array<number>(10).fill(1));
    for (const groups of [3, 5, 7]) assert.ok(groupsAtTurns.includes(groups), `${groups} in ${groupsAtTurns.join()}`);
  });

  it("includes contents that are decrypted for a command that is refused", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.change(putRequest("a", LARGE.slice(0, LARGE.length / 4)));
    const emptied = { kind: "patch", path: parseSecretPath("a"), removed: ["value"] } as const;
    const refused = Array.from({ length: 4 }, () =>
      outcomeOf(store.change(commandOf({ ...emptied, plaintext: Buffer.alloc(0), expectedVersion: undefined }))),
    );
    const put = store.change(putRequest("b", "1"));
    let isPut = false;
    void put.then(() => (isPut = true));
    assert.deepEqual(await Promise.all(refused), Array(4).fill("INVALID_FIELD"));
    assert.equal(isPut, false, "the Put is in the next group");
    assert.equal(await added(put), 1);
  });

  // Such a command writes nothing. Thousands of them in one group would delay the changes of all other callers by all of them.
  it("includes the secrets and versions that a command names, although it changes nothing", async () => {
    const versions = Array.from({ length: 10 }, (_, i) => i + 1);
    const guard = { path: parseSecretPath("a"), expectedVersion: 10 };
    const [one, all] = [deleteRequest("a"), deleteRequest("a", versions)].map(({ operations }) => operations[0]!);
    for (const [what, command, most] of [
      ["128 Deletes", commandOf(...Array<OperationCommand>(128).fill(one!)), 64],
      ["128 guards", { ...commandOf(one!), guards: Array(128).fill(guard) }, 64],
      ["128 Deletes of 10 versions", commandOf(...Array<OperationCommand>(128).fill(all!)), 6],
    ] as const) {
      const store = await loadStore(new ScriptedJournal());
      for (const _ of versions) await store.change(putRequest("a", "1"));
      await store.change(deleteRequest("a", versions));
      const waiting = Array.from({ length: 2 * most }, () => store.change(command));
      const put = store.change(putRequest("b", "1"));
      let isPut = false;
      void put.then(() => (isPut = true));
      await Promise.all(waiting.slice(0, most));
      assert.equal(isPut, false, `the Put is in a later group than the first of ${what}`);
      await Promise.all(waiting);
      assert.equal(await added(put), 1);
    }
  });

  it("includes the versions whose state changes", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    for (let n = 0; n < 10; n++) await store.change(putRequest("a", "1"));
    const versions = Array.from({ length: 10 }, (_, i) => i + 1);
    const operations = Array.from({ length: 32 }, (_, i) => {
      const [operation] = deleteRequest("a", versions).operations;
      return { ...operation!, kind: i % 2 === 0 ? "delete" : "undelete" } as OperationCommand;
    });
    await Promise.all([1, 2, 3, 4].map(() => store.change(commandOf(...operations))));
    assert.deepEqual(journal.groups.slice(10), [3, 1]);
  });
});

describe("the order of commands", () => {
  const OTHER = "spiffe://example.org/other";

  /** Commands whose work fills a group each: Copies of a large content. */
  function copies(target: string, count: number): ChangeCommand[] {
    const [source, path] = [parseSecretPath("large"), parseSecretPath(target)];
    const copy = { kind: "copy", source, path, version: 0, expectedVersion: undefined } as const;
    return Array.from({ length: count }, () => commandOf(copy));
  }

  // A caller can have thousands of commands in flight, and each can take as long as sealing and writing a large content.
  // If the order were that of arrival, the commands of all other callers would wait for all of them.
  it("lets a command of another caller wait for at most one command of a caller with many", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.change(putRequest("large", "x".repeat(1024 * 1024 - "value".length)));
    const groups = journal.groups.length;
    const order: string[] = [];
    const answered = (name: string) => () => void order.push(name);
    const busy = copies("copy", 20).map((copy, i) => store.change(copy).then(answered(`busy ${i}`)));
    const puts = ["p", "q"].map((path) =>
      store.change({ ...putRequest(path, "1"), author: OTHER }).then(answered(`other ${path}`)),
    );
    await Promise.all(puts);
    assert.deepEqual(order.slice(0, 4), ["busy 0", "other p", "busy 1", "other q"]);
    assert.equal(journal.groups.length - groups, 3, "the second Put waits for two of the 20 Copies");
    await Promise.all(busy);
    assert.deepEqual(
      order.filter((name) => name.startsWith("busy")),
      Array.from({ length: 20 }, (_, i) => `busy ${i}`),
    );
  });

  // Each command depends on the one before it: the versions are in the order in which the caller sent the Puts.
  it("is that of arrival among the commands of one caller", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    const outcomes = [0, 1, 2, 3].flatMap((expected) => [
      outcomeOf(store.change(putRequest("a", "1", expected)).then(added)),
      outcomeOf(store.change({ ...putRequest("b", "1", expected), author: OTHER }).then(added)),
    ]);
    assert.deepEqual(await Promise.all(outcomes), [1, 1, 2, 2, 3, 3, 4, 4]);
    assert.deepEqual(journal.groups, [8]);
  });
});

describe("a commit that is rejected", () => {
  // No change is applied, all callers of the group get DISK_FULL, and later changes work.
  it("leaves memory unchanged", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.change(putRequest("a", "kept"));
    journal.outcomes.push({ kind: "rejected", cause: new Error("disk full"), shortage: { free: 0, needed: 1 } });
    const group = [store.change(putRequest("a", "lost")), store.change(putRequest("b", "lost"))];
    assert.deepEqual(await Promise.all(group.map(outcomeOf)), ["DISK_FULL", "DISK_FULL"]);
    assert.equal(read(store, "a"), "kept");
    assert.equal(read(store, "b"), "SECRET_NOT_FOUND");
    assert.equal(await added(store.change(putRequest("a", "next"))), 2);
  });
});

describe("a commit with an unknown outcome", () => {
  // No change is published, its callers get OUTCOME_UNKNOWN, and the store attempts no later change.
  it("prevents all later changes", async () => {
    const failures: unknown[] = [];
    const journal = new ScriptedJournal();
    const store = await loadStore(journal, { onFailed: (cause) => failures.push(cause) });
    await store.change(putRequest("a", "1"));
    const cause = new Error("EIO");
    journal.outcomes.push({ kind: "unknown", cause });
    assert.equal(await outcomeOf(store.change(putRequest("a", "2"))), "OUTCOME_UNKNOWN");
    assert.deepEqual(failures, [cause]);
    assert.equal(read(store, "a"), "1");
    assert.equal(await outcomeOf(store.change(putRequest("a", "3"))), "SHUTTING_DOWN");
    assert.deepEqual(journal.groups, [1]);
  });
});

describe("a stale commit", () => {
  // The store waits until the feed has delivered the missed changes. Then it validates and seals the group again,
  // because the version number is a different one.
  it("is validated again after the feed has caught up", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    journal.beforeCommit = () => {
      journal.beforeCommit = () => {};
      journal.commitElsewhere(foreignPut("a", 1, "foreign"));
      setImmediate(() => journal.feed());
    };
    assert.equal(await added(store.change(putRequest("a", "own"))), 2);
    assert.equal(read(store, "a", 1), "foreign");
    assert.equal(read(store, "a", 2), "own");
  });

  it("is refused if it contradicts a change from the feed", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    journal.beforeCommit = () => {
      journal.beforeCommit = () => {};
      journal.commitElsewhere(foreignPut("a", 1, "foreign"));
      setImmediate(() => journal.feed());
    };
    assert.equal(await outcomeOf(store.change(putRequest("a", "own", 0))), "VERSION_MISMATCH");
    assert.equal(read(store, "a"), "foreign");
  });

  // If other replicas always commit first, the Put fails with CONTENTION instead of repeating forever.
  it("fails after a number of attempts", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    let version = 0;
    journal.beforeCommit = () => {
      version += 1;
      journal.commitElsewhere(foreignPut("busy", version, "foreign"));
      setImmediate(() => journal.feed());
    };
    assert.equal(await outcomeOf(store.change(putRequest("a", "own"))), "CONTENTION");
    assert.equal(read(store, "a"), "SECRET_NOT_FOUND");
    journal.beforeCommit = () => {};
    assert.equal(await added(store.change(putRequest("a", "own"))), 1);
  });
});

// A feed can deliver every commit of the journal, including those of this process.
it("the store applies its own commits only once if the feed delivers them too", async () => {
  const journal = new ScriptedJournal();
  const store = await loadStore(journal);
  await store.change(putRequest("a", "1"));
  journal.feed(journal.entries);
  assert.equal(store.totals.versions, 1);
  journal.commitElsewhere(foreignPut("a", 2, "foreign"));
  journal.feed();
  assert.equal(store.totals.versions, 2);
});

// The feed can deliver a later commit of another replica before the outcome of this process's own commit is known.
it("the store publishes its own commit before a later one from the feed", async () => {
  const journal = new (class extends ScriptedJournal {
    override async commit(group: readonly JournalEntry[], validatedAt: Revision): Promise<CommitOutcome> {
      const outcome = await super.commit(group, validatedAt);
      if (this.entries.length === 1) this.commitElsewhere(foreignPut("a", 2, "foreign"));
      this.feed();
      return outcome;
    }
  })();
  const store = await loadStore(journal);
  assert.equal(await added(store.change(putRequest("a", "own"))), 1);
  assert.equal(read(store, "a", 1), "own");
  assert.equal(read(store, "a", 2), "foreign");
  assert.equal(await added(store.change(putRequest("a", "own again"))), 3);
});

// Removed content has to be gone from memory and from disk before the answer. Other commands do not wait for that.
describe("a command that destroys content", () => {
  async function storeWithSlowFronts() {
    const journal = new ScriptedJournal();
    let overwrite = () => {};
    const publication = { ...ownMemory(), erased: () => new Promise<void>((resolve) => (overwrite = resolve)) };
    const store = await loadStore(journal, { publication });
    await store.change(putRequest("a", "1"));
    return { journal, store, overwrite: () => overwrite() };
  }

  it("is answered after the log is erased and every thread has overwritten the content", async () => {
    const { journal, store, overwrite } = await storeWithSlowFronts();
    const erasures = journal.erasures;
    const destroyed = store.change(destroyRequest("a"));
    await store.change(putRequest("b", "meanwhile"));
    assert.equal(journal.erasures, erasures + 1);
    assert.equal(read(store, "a"), "VERSION_DESTROYED");
    const early = await Promise.race([destroyed, new Promise((resolve) => setImmediate(resolve, "nothing"))]);
    assert.equal(early, "nothing");
    overwrite();
    assert.deepEqual(versionsIn(await destroyed), [1]);
    await store.settled();
  });

  // The content may still be in the log, so the error asks the caller to repeat the call. The repetition succeeds only
  // when the content is gone, although there is nothing left to change.
  it("is OUTCOME_UNKNOWN while the disk is too full to erase the log, and works when it is repeated", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.change(putRequest("a", "1"));
    journal.canErase = false;
    assert.equal(await outcomeOf(store.change(destroyRequest("a"))), "OUTCOME_UNKNOWN");
    assert.equal(await outcomeOf(store.change(destroyRequest("a"))), "OUTCOME_UNKNOWN");
    assert.equal(await added(store.change(putRequest("b", "works"))), 1);
    journal.canErase = true;
    const groups = journal.groups.length;
    assert.deepEqual(versionsIn(await store.change(destroyRequest("a"))), []);
    assert.equal(journal.groups.length, groups);
    const { erasures } = journal;
    assert.deepEqual(versionsIn(await store.change(destroyRequest("a"))), []);
    assert.equal(journal.erasures, erasures, "there is nothing more to erase");
  });

  // A process can end between the commit and the erasure.
  it("erases after a restart what the process before may have left", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.change(putRequest("a", "1"));
    await store.change(destroyRequest("a"));
    const reopened = await loadStore(journal);
    const { erasures } = journal;
    assert.deepEqual(versionsIn(await reopened.change(destroyRequest("a"))), []);
    assert.equal(journal.erasures, erasures + 1);
  });

  it("fails the store if the disk fails", async () => {
    const failures: unknown[] = [];
    const cause = new Error("EIO");
    const journal = new ScriptedJournal();
    const store = await loadStore(journal, { onFailed: (failure) => failures.push(failure) });
    await store.change(putRequest("a", "1"));
    journal.erase = () => {
      throw cause;
    };
    assert.equal(await outcomeOf(store.change(destroyRequest("a"))), "OUTCOME_UNKNOWN");
    assert.deepEqual(failures, [cause]);
    assert.equal(await outcomeOf(store.change(putRequest("b", "1"))), "SHUTTING_DOWN");
  });
});

// A sealed content is an ordinary Buffer until its commit. If it stayed in memory, it would outlive a Destroy.
it("the store overwrites the sealed content of a Put after the commit, and that of a command that is not committed", async () => {
  const sealed: Buffer[] = [];
  const sealer: Sealer = {
    ...plainSealer,
    seal: (plaintext, context) => {
      sealed.push(plainSealer.seal(plaintext, context));
      return sealed.at(-1)!;
    },
  };
  const journal = new ScriptedJournal();
  const store = await loadStore(journal, { sealer });
  const [first, second] = [putRequest("a", "1"), putRequest("b", "2", 7)].map(({ operations: [only] }) => only!);
  journal.outcomes.push({ kind: "rejected", cause: new Error("disk full"), shortage: { free: 0, needed: 1 } });
  assert.equal(await outcomeOf(store.change(putRequest("a", "lost"))), "DISK_FULL");
  assert.equal(await outcomeOf(store.change(commandOf(first!, second!))), "VERSION_MISMATCH");
  journal.beforeCommit = () => {
    journal.beforeCommit = () => {};
    journal.commitElsewhere(foreignPut("a", 1, "foreign"));
    setImmediate(() => journal.feed());
  };
  assert.equal(await added(store.change(putRequest("a", "own"))), 2);
  assert.equal(read(store, "a"), "own");
  assert.equal(sealed.length, 4);
  for (const bytes of sealed) assert.ok(bytes.every((byte) => byte === 0));
});

// A Put that would exceed the limit is refused and changes nothing. Reads and Deletes still work.
it("the store refuses a Put that would exceed its limit", async () => {
  const journal = new ScriptedJournal();
  const measure = await loadStore(new ScriptedJournal());
  await measure.change(putRequest("a", "1"));
  const store = await loadStore(journal, { maxStoreBytes: measure.totals.bytes });
  await store.change(putRequest("a", "1"));
  assert.equal(await outcomeOf(store.change(putRequest("b", "1"))), "STORE_FULL");
  assert.equal(read(store, "a"), "1");
  assert.deepEqual(versionsIn(await store.change(deleteRequest("a"))), [1]);
  const smaller = await loadStore(journal, { maxStoreBytes: 1 });
  assert.equal(read(smaller, "a"), "VERSION_DELETED");
});
