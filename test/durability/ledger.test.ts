import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Dump, type DumpedVersion, contentOf } from "../support/dump.ts";
import type { Outcome } from "../support/server-kit.ts";
import { type Intent, Ledger } from "../support/ledger.ts";

// Other tests use the ledger to check servers that were killed. This test checks the ledger itself: each history below
// has one fault, which the ledger must report.

const OK = { code: "OK", message: "", reason: undefined, metadata: {} };
const NO_RESPONSE: Outcome = { ...OK, code: "UNAVAILABLE", response: undefined };
const MISMATCH: Outcome = { ...OK, code: "ABORTED", reason: "VERSION_MISMATCH", response: undefined };

function put(value: string, path = "a"): Intent {
  return { kind: "put", path, value };
}

function putResponse(version: number, revision: number): Outcome {
  return { ...OK, response: { version, revision, create_time: { seconds: revision, nanos: 0 } } };
}

function deleteResponse(versions: number[], revision: number): Outcome {
  return { ...OK, response: { versions, revision } };
}

const DELETION = { time: 9000, by: "spiffe://example.org/admin" };

function found(version: number, revision: number, value: string): DumpedVersion {
  const createdBy = "spiffe://example.org/admin";
  return { version, revision, createTime: revision * 1000, createdBy, deleted: undefined, value };
}

function deleted(version: number, revision: number): DumpedVersion {
  return { ...found(version, revision, ""), value: undefined, deleted: DELETION };
}

function dumped(...versions: DumpedVersion[]): Dump {
  return { secrets: new Map(versions.length === 0 ? [] : [["a", versions]]), list: [] };
}

type History = readonly (readonly [Intent, Outcome])[];

/** One version acknowledged, one unknown, one refused. */
const HISTORY: History = [
  [put("one"), putResponse(1, 1)],
  [put("two"), NO_RESPONSE],
  [put("three"), MISMATCH],
];

async function ledgerOf(history: History): Promise<Ledger> {
  const ledger = new Ledger();
  for (const [intent, outcome] of history) await ledger.record(intent, async () => outcome);
  return ledger;
}

async function complaints(history: History, ...dumps: Dump[]): Promise<string> {
  const ledger = await ledgerOf(history);
  return dumps.flatMap((dump) => ledger.check(dump)).join("; ");
}

describe("the ledger", () => {
  // A change without a response can be present or absent. Each history below differs from one of these only by its
  // fault.
  it("accepts a store with or without a change whose outcome is unknown", async () => {
    assert.equal(await complaints(HISTORY, dumped(found(1, 1, "one"))), "");
    assert.equal(await complaints(HISTORY, dumped(found(1, 1, "one"), found(2, 2, "two"))), "");
    const deletion: Intent = { kind: "delete", path: "a", versions: [] };
    assert.equal(await complaints([...HISTORY, [deletion, NO_RESPONSE]], dumped(deleted(1, 1))), "");
    assert.equal(await complaints([...HISTORY, [deletion, deleteResponse([1], 2)]], dumped(deleted(1, 1))), "");
  });

  it("accepts an acknowledged version that later versions have replaced", async () => {
    const many = Array.from({ length: 11 }, (_, i): History[number] => [put(`${i + 1}`), putResponse(i + 1, i + 1)]);
    const retained = Array.from({ length: 10 }, (_, i) => found(i + 2, i + 2, `${i + 2}`));
    assert.equal(await complaints(many, dumped(...retained)), "");
    assert.match(await complaints(many, dumped(...retained.slice(0, -1))), /version 11 of a is lost/);
  });

  const deletion: Intent = { kind: "delete", path: "a", versions: [1] };
  const faults: readonly (readonly [name: string, history: History, dumps: Dump[], problem: RegExp])[] = [
    ["a lost acknowledged version", HISTORY, [dumped()], /version 1 of a is lost/],
    ["an acknowledged version with a different value", HISTORY, [dumped(found(1, 1, "two"))], /has a different value/],
    [
      "an acknowledged version with a different revision",
      HISTORY,
      [dumped(found(1, 2, "one"))],
      /differs from its acknowledgement/,
    ],
    ["a value that no Put wrote", HISTORY, [dumped(found(1, 1, "one"), found(2, 2, "x"))], /no Put wrote/],
    ["a value of a refused Put", HISTORY, [dumped(found(1, 1, "one"), found(2, 2, "three"))], /value of a refused Put/],
    ["a value that occurs twice", HISTORY, [dumped(found(1, 1, "one"), found(2, 2, "one"))], /occurs twice/],
    ["a deletion that no caller requested", HISTORY, [dumped(deleted(1, 1))], /deleted without a request/],
    [
      "a lost acknowledged deletion",
      [HISTORY[0]!, [deletion, deleteResponse([1], 2)]],
      [dumped(found(1, 1, "one"))],
      /deletion of version 1 of a is lost/,
    ],
    [
      "a deleted version that is live again",
      [HISTORY[0]!, [deletion, NO_RESPONSE]],
      [dumped(deleted(1, 1)), dumped(found(1, 1, "one"))],
      /live again/,
    ],
    [
      "a version that changes later",
      [[put("two"), NO_RESPONSE]],
      [dumped(found(1, 1, "two")), dumped(found(1, 5, "two"))],
      /differs from before/,
    ],
    ["a gap in the versions", HISTORY, [dumped(found(1, 1, "one"), found(3, 3, "two"))], /gap at version 3/],
    [
      "revisions out of order",
      [
        [put("one"), NO_RESPONSE],
        [put("two"), NO_RESPONSE],
      ],
      [dumped(found(1, 5, "one"), found(2, 4, "two"))],
      /out of order/,
    ],
    [
      "an early version that is not retained",
      [[put("two"), NO_RESPONSE]],
      [dumped(found(2, 2, "two"))],
      /has lost a version/,
    ],
  ];
  for (const [name, history, dumps, complaint] of faults) {
    it(`reports ${name}`, async () => assert.match(await complaints(history, ...dumps), complaint));
  }

  it("reports a version that was read and is lost", async () => {
    const ledger = await ledgerOf([[put("two"), NO_RESPONSE]]);
    const { response } = putResponse(1, 1);
    ledger.recordRead("a", { ...OK, response: { ...response, ...contentOf("two") } });
    assert.deepEqual(ledger.check(dumped(found(1, 1, "two"))), []);
    assert.match(ledger.check(dumped()).join(), /version 1 of a is lost/);
  });

  it("reports a revision that is used again after the restart", async () => {
    const ledger = await ledgerOf([[put("one"), putResponse(1, 7)]]);
    assert.deepEqual(ledger.check(dumped(found(1, 7, "one"))), []);
    await ledger.record(put("two"), async () => putResponse(2, 7));
    assert.match(ledger.check(dumped(found(1, 7, "one"), found(2, 7, "two"))).join(), /revision 7 after 7/);
  });
});
