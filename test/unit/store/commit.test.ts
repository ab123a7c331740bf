import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CofferError } from "../../../src/domain/errors.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import type { ChangeCommand, OperationCommand } from "../../../src/store/command.ts";
import { encodeContent } from "../../../src/store/content-format.ts";
import { Content } from "../../../src/domain/content.ts";
import { ScriptedJournal } from "../../support/scripted-journal.ts";
import {
  AUTHOR,
  commandOf,
  deleteRequest,
  loadStore,
  opened,
  outcomeOf,
  putRequest,
  read,
} from "../../support/store-kit.ts";

function put(path: string, value: string, expectedVersion?: number): OperationCommand {
  return putRequest(path, value, expectedVersion).operations[0]!;
}

function patch(
  path: string,
  set: Record<string, string>,
  removed: string[] = [],
  kind: "text" | "binary" = "text",
): OperationCommand {
  const entries = Object.entries(set).map(([key, value]) => ({ key, kind, value: Buffer.from(value) }));
  const plaintext = encodeContent(Content.unchecked(entries));
  return { kind: "patch", path: parseSecretPath(path), plaintext, removed, expectedVersion: undefined };
}

function purge(path: string): OperationCommand {
  return { kind: "purge", path: parseSecretPath(path), expectedVersion: undefined };
}

async function refusalOf(change: Promise<unknown>): Promise<CofferError> {
  const error = await change.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CofferError, `expected a refusal, and got ${String(error)}`);
  return error;
}

describe("a command with several operations", () => {
  it("is one entry with one revision, and each operation sees those before it", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    const answer = await store.change(
      commandOf(put("a", "1"), patch("a", { more: "2" }), put("b", "3"), deleteRequest("a", [1]).operations[0]!),
    );
    assert.deepEqual(
      answer.results.map(({ versions }) => versions),
      [[1], [2], [1], [1]],
    );
    assert.equal(journal.entries.length, 1);
    assert.equal(answer.revision, journal.revision);
    assert.equal(store.revision, answer.revision);
    assert.deepEqual(opened(store, "a").keys(), ["value", "more"]);
    assert.equal(read(store, "a", 1), "VERSION_DELETED");
  });

  // The journal has a row for each version. The rows of an entry end at its revision.
  it("numbers the rows of its puts, so that the last one has the revision of the entry", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.change(commandOf(put("a", "1"), deleteRequest("a").operations[0]!, put("b", "2"), put("a", "3")));
    const changes = journal.entries[0]!.changes;
    assert.deepEqual(
      changes.flatMap((change) => (change.kind === "put" ? [change.rowsBefore] : [])),
      [2, 1, 0],
    );
    const deletion = await store.change(deleteRequest("a", [2]));
    const [change] = journal.entries[1]!.changes;
    assert.equal(deletion.revision, 6);
    assert.ok(change?.kind === "state");
    assert.deepEqual(change.versions, [{ version: 2, row: 3 }]);
    await store.change(deleteRequest("b", [1]));
    const [other] = journal.entries[2]!.changes;
    assert.ok(other?.kind === "state");
    assert.deepEqual(other.versions, [{ version: 1, row: 2 }]);
  });

  // Whichever operation is refused, nothing of the command is visible, is counted or reaches the journal, and later
  // commands of the same group are not affected.
  it("changes nothing if one operation is refused, and the error has its index", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    await store.change(putRequest("a", "old"));
    const { totals } = store;
    for (const index of [0, 1, 2, 3]) {
      const operations = [put("a", "x"), purge("a"), put("new", "y")];
      operations.splice(index, 0, put("a", "refused", 7));
      const [error, other] = await Promise.all([
        refusalOf(store.change(commandOf(...operations))),
        store.change(deleteRequest("a", [1])),
      ]);
      assert.deepEqual([error.reason, error.metadata["operation"]], ["VERSION_MISMATCH", String(index)]);
      assert.deepEqual(other.results[0]?.versions, index === 0 ? [1] : []);
    }
    assert.equal(journal.entries.length, 2);
    assert.equal(read(store, "new"), "SECRET_NOT_FOUND");
    assert.equal(store.totals.versions, totals.versions);
  });

  it("is refused if a guard does not hold, and the error has the index of the guard", async () => {
    const store = await loadStore(new ScriptedJournal());
    await store.change(putRequest("flag", "1"));
    const guards = (expected: number) => [
      { path: parseSecretPath("none"), expectedVersion: 0 },
      { path: parseSecretPath("flag"), expectedVersion: expected },
    ];
    const error = await refusalOf(store.change({ ...commandOf(put("a", "1")), guards: guards(2) }));
    assert.deepEqual(
      [error.reason, error.metadata["guard"], error.metadata["latest_version"]],
      ["VERSION_MISMATCH", "1", "1"],
    );
    assert.equal(read(store, "a"), "SECRET_NOT_FOUND");
    await store.change({ ...commandOf(put("a", "1")), guards: guards(1) });
    assert.equal(read(store, "a"), "1");
  });

  // What a command frees makes space for what it adds, in any order.
  it("is judged as a whole against the size of the store", async () => {
    const measured = await loadStore(new ScriptedJournal());
    await measured.change(putRequest("a", "x".repeat(5000)));
    const maxStoreBytes = measured.totals.bytes + 1000;
    const store = await loadStore(new ScriptedJournal(), { maxStoreBytes });
    await store.change(putRequest("a", "x".repeat(5000)));
    const large = () => put("b", "y".repeat(5000));
    assert.equal(await outcomeOf(store.change(commandOf(large()))), "STORE_FULL");
    const error = await refusalOf(store.change(commandOf(put("c", "1"), large())));
    assert.deepEqual([error.reason, error.metadata["operation"]], ["STORE_FULL", undefined]);
    await store.change(commandOf(large(), purge("a")));
    assert.equal(read(store, "b"), "y".repeat(5000));
    assert.ok(store.totals.bytes <= maxStoreBytes);
  });

  // Copies and patches are small requests, whatever they add. The key "value" adds 5 bytes to each content.
  it("adds at most as much content as one Put can, also by copies and patches", async () => {
    const store = await loadStore(new ScriptedJournal(), { maxContentBytes: 100 });
    await store.change(putRequest("a", "x".repeat(45)));
    const source = { source: parseSecretPath("a"), version: 0, expectedVersion: undefined };
    const copyTo = (path: string): OperationCommand => ({ kind: "copy", path: parseSecretPath(path), ...source });
    const { totals } = store;
    for (const third of [copyTo("d"), put("d", ""), patch("a", { k: "" })]) {
      const error = await refusalOf(store.change(commandOf(copyTo("b"), copyTo("c"), third)));
      const { field, limit, operation } = error.metadata;
      assert.deepEqual([error.reason, field, limit, operation], ["LIMIT_EXCEEDED", "operations", "100", undefined]);
    }
    assert.deepEqual(store.totals, totals);
    await store.change(commandOf(copyTo("b"), purge("b"), copyTo("c")));
    assert.equal(read(store, "c"), "x".repeat(45));
  });

  // The request of a Copy is small, and its content counts as that of a Put does. The Copy adds 50 bytes.
  for (const [bytes, outcome] of [
    [99, "OK"],
    [100, "OK"],
    [101, "LIMIT_EXCEEDED"],
  ] as const) {
    it(`with ${bytes} bytes in a Copy and a Put, where one content may have 100, is answered with ${outcome}`, async () => {
      const store = await loadStore(new ScriptedJournal(), { maxContentBytes: 100 });
      await store.change(putRequest("a", "x".repeat(45)));
      const [path, source] = [parseSecretPath("b"), parseSecretPath("a")];
      const copy: OperationCommand = { kind: "copy", path, source, version: 0, expectedVersion: undefined };
      const rest = put("c", "x".repeat(bytes - 50 - "value".length));
      const answer = await outcomeOf(store.change(commandOf(copy, rest)));
      assert.equal(typeof answer === "string" ? answer : "OK", outcome);
    });
  }

  it("overwrites all of its plaintexts when it is answered", async () => {
    const store = await loadStore(new ScriptedJournal());
    const accepted = commandOf(put("a", "1"), patch("a", { more: "2" }));
    const refused = commandOf(put("b", "1"), put("b", "2", 9));
    await store.change(accepted);
    await outcomeOf(store.change(refused));
    for (const { operations } of [accepted, refused]) {
      for (const operation of operations) {
        assert.ok("plaintext" in operation && operation.plaintext.every((byte) => byte === 0));
      }
    }
  });
});

describe("a Patch", () => {
  it("replaces a text by bytes and removes keys, and keeps the other keys", async () => {
    const store = await loadStore(new ScriptedJournal());
    await store.change(putRequest("a", "text"));
    await store.change(commandOf(patch("a", { one: "1", two: "2" })));
    await store.change(commandOf(patch("a", { value: "bytes" }, ["one"], "binary")));
    const entries = opened(store, "a").entries();
    assert.deepEqual(
      entries.map(({ key, kind, value }) => [key, kind, Buffer.from(value).toString()]),
      [
        ["value", "binary", "bytes"],
        ["two", "text", "2"],
      ],
    );
  });

  // A JSON merge patch (RFC 7396) ignores such a key, and so does KV v2.
  it("gets the same answer whether a key to remove exists or not", async () => {
    const store = await loadStore(new ScriptedJournal());
    const results = [];
    for (const [path, key] of [
      ["a", "value"],
      ["b", "other"],
    ] as const) {
      await store.change(putRequest(path, "old"));
      results.push((await store.change(commandOf(patch(path, { new: "1" }, [key])))).results);
    }
    assert.deepEqual(results[0], [{ versions: [2], expireTime: undefined }]);
    assert.deepEqual(results[1], results[0]);
    const keysOf = (path: string) =>
      opened(store, path)
        .entries()
        .map(({ key }) => key);
    assert.deepEqual([keysOf("a"), keysOf("b")], [["new"], ["value", "new"]]);
  });

  it("is refused above the limits of a content, and accepted at them", async () => {
    const store = await loadStore(new ScriptedJournal(), { maxContentBytes: 20 });
    await store.change(putRequest("a", "12345"));
    const tooLarge = await refusalOf(store.change(commandOf(patch("a", { k: "x".repeat(10) }))));
    assert.deepEqual([tooLarge.reason, tooLarge.metadata["limit"]], ["LIMIT_EXCEEDED", "20"]);
    await store.change(commandOf(patch("a", { k: "x".repeat(9) })));
    const many = (from: number, to: number) =>
      Object.fromEntries(Array.from({ length: to - from }, (_, i) => [`k${from + i}`, ""]));
    const wide = await loadStore(new ScriptedJournal());
    await wide.change(putRequest("a", "1"));
    await wide.change(commandOf(patch("a", many(0, 4000))));
    const tooMany = await refusalOf(wide.change(commandOf(patch("a", many(4000, 4096)))));
    assert.deepEqual([tooMany.reason, tooMany.metadata["limit"]], ["LIMIT_EXCEEDED", "4096"]);
    await wide.change(commandOf(patch("a", many(4000, 4095))));
    assert.equal(opened(wide, "a").keys().length, 4096);
  });
});

const ID = "9f4c0b6e-7a52-4d0c-8f0e-000000000001";

function identified(command: ChangeCommand, id = ID): ChangeCommand {
  return { ...command, requestId: id };
}

describe("a command with a request id", () => {
  it("that is repeated gets the first answer and changes nothing, also after a restart", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    const first = await store.change(identified(putRequest("a", "1")));
    await store.change(putRequest("a", "2"));
    assert.deepEqual(await store.change(identified(putRequest("a", "1"))), first);
    const reopened = await loadStore(journal);
    assert.deepEqual(await reopened.change(identified(putRequest("a", "1"))), first);
    assert.equal(read(reopened, "a"), "2");
    assert.equal(journal.entries.length, 2);
  });

  it("and one that repeats it in the same group get the same answer", async () => {
    const journal = new ScriptedJournal();
    const store = await loadStore(journal);
    const answers = await Promise.all([1, 2, 3].map(() => store.change(identified(putRequest("a", "1")))));
    assert.deepEqual(answers[1], answers[0]);
    assert.deepEqual(answers[2], answers[0]);
    assert.equal(journal.entries.length, 1);
  });

  // Each part of a command, changed alone, is another request.
  it("is refused if the id was used for another request", async () => {
    const store = await loadStore(new ScriptedJournal());
    const original = (): ChangeCommand => identified(commandOf(put("a", "1"), put("b", "2")));
    const first = await store.change(original());
    const [one, two] = original().operations;
    const others: ChangeCommand[] = [
      identified(commandOf(put("a", "1"))),
      identified(commandOf(put("b", "2"), put("a", "1"))),
      identified(commandOf(put("a", "1"), put("b", "3"))),
      identified(commandOf(put("a", "1", 0), put("b", "2"))),
      identified(commandOf(put("a", "12"), put("b", ""))),
      identified(commandOf({ ...(one as OperationCommand & { kind: "put" }), expiry: { kind: "after", ms: 5 } }, two!)),
      { ...original(), guards: [{ path: parseSecretPath("c"), expectedVersion: 0 }] },
    ];
    for (const other of others) assert.equal(await outcomeOf(store.change(other)), "REQUEST_ID_REUSED");
    assert.deepEqual(await store.change(original()), first);
    const another = { ...original(), author: "spiffe://example.org/other" };
    assert.deepEqual((await store.change(another)).results[0]?.versions, [2], "ids belong to a caller");
  });

  it("that is refused is not remembered", async () => {
    const store = await loadStore(new ScriptedJournal());
    assert.equal(await outcomeOf(store.change(identified(putRequest("a", "1", 1)))), "VERSION_MISMATCH");
    await store.change(putRequest("a", "0"));
    assert.deepEqual((await store.change(identified(putRequest("a", "1", 1)))).results[0]?.versions, [2]);
  });

  // Otherwise its repetition could delete a version that was added in the meantime.
  it("that had nothing to change is remembered", async () => {
    const store = await loadStore(new ScriptedJournal());
    await store.change(putRequest("a", "1"));
    const deleted = await store.change(deleteRequest("a"));
    const idle = await store.change(identified(deleteRequest("a")));
    assert.deepEqual([idle.results[0]?.versions, idle.revision], [[], deleted.revision]);
    await store.change(putRequest("a", "2"));
    assert.deepEqual(await store.change(identified(deleteRequest("a"))), idle);
    assert.equal(read(store, "a"), "2");
  });

  it("is refused if the caller has as many ids as it may have, and a known id is still answered", async () => {
    const store = await loadStore(new ScriptedJournal(), { maxRequestIds: 2 });
    const id = (n: number) => `9f4c0b6e-7a52-4d0c-8f0e-00000000000${n}`;
    const [first, , third] = await Promise.all(
      [1, 2, 3].map((n) => outcomeOf(store.change(identified(putRequest("a", "1"), id(n))))),
    );
    assert.equal(third, "REQUEST_IDS_FULL");
    assert.deepEqual(await store.change(identified(putRequest("a", "1"), id(1))), first);
    assert.equal(await outcomeOf(store.change(identified(putRequest("a", "1"), id(4)))), "REQUEST_IDS_FULL");
    await store.change(putRequest("a", "without an id"));
    const other = { ...identified(putRequest("a", "1"), id(4)), author: `${AUTHOR}/2` };
    assert.deepEqual((await store.change(other)).results[0]?.versions, [4]);
  });

  // Otherwise, a caller could let the server remember 128 results for each of its ids.
  it("counts as often as its command has operations", async () => {
    const store = await loadStore(new ScriptedJournal(), { maxRequestIds: 3 });
    const id = (n: number) => `9f4c0b6e-7a52-4d0c-8f0e-00000000000${n}`;
    const two = () => commandOf(put("a", "1"), put("b", "1"));
    await store.change(identified(two(), id(1)));
    await store.change(identified(two(), id(2)));
    assert.equal(await outcomeOf(store.change(identified(putRequest("a", "1"), id(3)))), "REQUEST_IDS_FULL");
  });

  // A command that only removes something is never refused because the store is full. Its id is: a caller that may only
  // delete could otherwise fill the memory with ids. Without an id, the same command is accepted.
  it("can't let the store grow beyond its limit, also for a Delete", async () => {
    const store = await loadStore(new ScriptedJournal(), { maxStoreBytes: 20_000 });
    await store.change(putRequest("a", "1"));
    const remove = (n: number) =>
      identified(deleteRequest("a"), `9f4c0b6e-7a52-4d0c-8f0e-${String(n).padStart(12, "0")}`);
    const outcomes = new Set<unknown>();
    for (let n = 0; n < 100; n++) {
      const outcome = await outcomeOf(store.change(remove(n)));
      outcomes.add(typeof outcome === "string" ? outcome : "accepted");
    }
    assert.deepEqual([...outcomes], ["accepted", "REQUEST_IDS_FULL"]);
    assert.ok(store.totals.bytes <= 20_000, `${store.totals.bytes}`);
    assert.deepEqual((await store.change(deleteRequest("a"))).results, [{ versions: [], expireTime: undefined }]);
  });

  // The numbers of the versions are a part of the answer: a command can have 128 results of 100 numbers.
  it("counts the versions of its answer", async () => {
    const grown = async (versions: number[]) => {
      const store = await loadStore(new ScriptedJournal());
      for (let n = 0; n < 10; n++) await store.change(putRequest("a", "1"));
      await store.change(deleteRequest("a", versions));
      await store.change({
        ...deleteRequest("a", versions),
        operations: [{ ...deleteRequest("a", versions).operations[0]!, kind: "undelete" } as OperationCommand],
      });
      const { bytes } = store.totals;
      await store.change(identified(deleteRequest("a", versions)));
      return store.totals.bytes - bytes;
    };
    assert.ok((await grown([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])) >= (await grown([1])) + 9 * 8);
  });

  it("counts toward the size of the store", async () => {
    const store = await loadStore(new ScriptedJournal());
    await store.change(putRequest("a", "1"));
    await store.change(putRequest("a", "2"));
    const before = store.totals.bytes;
    await store.change(putRequest("a", "3"));
    const growth = store.totals.bytes - before;
    await store.change(identified(putRequest("a", "4")));
    const withId = store.totals.bytes - before - growth;
    assert.ok(withId > growth + 300, `${withId}`);
  });
});
