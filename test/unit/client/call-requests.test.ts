import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as requests from "../../../src/client/call-requests.ts";
import { ClientError } from "../../../src/client/client-error.ts";
import { commitRequestOf, readCommit } from "../../../src/client/commit-requests.ts";
import type { ChangeOperation } from "../../../src/client/operations.ts";
import { commitRequest } from "../../../src/contract/messages.ts";

/** Matches an error of an argument. */
function refuses(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof ClientError, String(error));
    assert.deepEqual([error.code, error.applied], ["INVALID_ARGUMENT", "no"]);
    assert.match(error.message, message);
    return true;
  };
}

const CHANGE = { expectedVersion: undefined, requestId: "" };
const text = (key: string, value: string) => ({ key, kind: "text", value: Buffer.from(value) });

/** One operation of each kind, with all of its properties. */
const OPERATIONS = [
  { kind: "put", path: "a", values: { k: "v" }, expectedVersion: 1, ttlMs: 5 },
  { kind: "patch", path: "a", set: { k: "w" }, remove: ["l"] },
  { kind: "delete", path: "a", versions: [1, 2], requireConverged: true, minWatchers: 40 },
  { kind: "undelete", path: "a" },
  { kind: "destroy", path: "a", versions: [1] },
  { kind: "restore", path: "a", version: 3 },
  { kind: "copy", source: "a", version: 3, target: "b", expectedVersion: 0 },
  { kind: "purge", path: "a" },
  {
    kind: "metadata",
    path: "a",
    maxVersions: 3,
    labels: { team: "shop" },
    removeLabels: ["old"],
    description: "",
    defaultTtlMs: 0,
    casRequired: false,
  },
] as const satisfies readonly ChangeOperation[];

describe("the request of a method", () => {
  it("has the arguments of the method", () => {
    const put = requests.putRequestOf({
      path: "a",
      values: { k: "v", b: Buffer.of(1) },
      expireTime: 7,
      expectedVersion: 0,
    });
    assert.deepEqual(put, {
      ...CHANGE,
      path: "a",
      data: [text("k", "v")],
      binaryData: [{ key: "b", kind: "binary", value: Buffer.of(1) }],
      ttl: undefined,
      expireTime: 7,
      expectedVersion: 0,
    });
    assert.deepEqual(requests.patchRequestOf({ path: "a", remove: ["k"] }), {
      ...CHANGE,
      path: "a",
      data: [],
      binaryData: [],
      remove: ["k"],
    });
    assert.deepEqual(requests.getRequestOf("a", { keys: ["k"], ifVersionNot: 2, minRevision: 2 ** 40 }), {
      path: "a",
      version: 0,
      keys: ["k"],
      ifVersionNot: 2,
      minRevision: 2 ** 40,
    });
    assert.deepEqual(requests.listRequestOf("a/", { delimiter: "/", labels: { team: "shop" }, showDeleted: true }), {
      prefix: "a/",
      pageSize: 0,
      pageToken: "",
      delimiter: "/",
      labels: [["team", "shop"]],
      showDeleted: true,
    });
  });

  // An empty list in a request means the newest version, or all keys. A program that passes an empty list has found
  // nothing to change or to read.
  it("is refused if a list of versions or keys is empty", () => {
    assert.throws(
      () => requests.versionsRequestOf({ path: "a", versions: [] }),
      refuses(/^versions is empty; leave it out/),
    );
    assert.throws(() => requests.getRequestOf("a", { keys: [] }), refuses(/^keys is empty; leave it out/));
    // The control: without the list.
    assert.deepEqual(requests.versionsRequestOf({ path: "a" }), { ...CHANGE, path: "a", versions: [] });
  });

  // Encoding would send another value, or none.
  const rows: [what: string, make: () => unknown, message: RegExp][] = [
    [
      "a fractional version",
      () => requests.getRequestOf("a", { version: 1.5 }),
      /^version is 1.5; expected a whole number/,
    ],
    [
      "a fractional number of milliseconds",
      () => requests.putRequestOf({ path: "a", values: {}, ttlMs: 0.5 }),
      /^ttlMs is 0.5; expected/,
    ],
    ["a negative time", () => requests.putRequestOf({ path: "a", values: {}, expireTime: -1 }), /^expireTime is -1; /],
    [
      "a Date",
      () => requests.putRequestOf({ path: "a", values: {}, expireTime: new Date() as never }),
      /^expireTime is /,
    ],
    ["no version to restore", () => requests.restoreRequestOf({ path: "a" } as never), /^version is required$/],
    [
      "versions that are not a list",
      () => requests.versionsRequestOf({ path: "a", versions: 1 as never }),
      /^versions is not an array$/,
    ],
    ["keys that are a string", () => requests.getRequestOf("a", { keys: "user" as never }), /^keys is not an array$/],
    ["paths that are a string", () => requests.batchGetRequestOf("a/b" as never, {}), /^paths is not an array$/],
    [
      "a negative number of watchers",
      () => requests.removalRequestOf({ path: "a", requireConverged: true, minWatchers: -1 }),
      /^minWatchers is -1; expected a whole number/,
    ],
    ["a revision that is not safe", () => requests.getRequestOf("a", { minRevision: 2 ** 53 }), /^minRevision is /],
    [
      "text for a flag",
      () => requests.listRequestOf("", { showDeleted: "no" as never }),
      /^showDeleted is neither true nor false$/,
    ],
    ["a list of labels", () => requests.listRequestOf("", { labels: ["a"] as never }), /^labels is not an object$/],
    [
      "a label that is a number",
      () => requests.listRequestOf("", { labels: { a: 1 as never } }),
      /^the value of a in labels is neither/,
    ],
    [
      "no target",
      () => requests.copyRequestOf({ source: "a" } as never),
      /^target is neither a string nor a Uint8Array$/,
    ],
  ];
  for (const [what, make, message] of rows) it(`is refused with ${what}`, () => assert.throws(make, refuses(message)));
});

describe("the request of a Commit", () => {
  it("has an operation of each kind, as the server decodes it", () => {
    const guards = [{ path: "g", expectedVersion: 4 }];
    const decoded = commitRequest.decode(commitRequest.encode(commitRequestOf(OPERATIONS, { guards })));
    const change = { path: "a", ...CHANGE };
    const entry = (key: string, value: string) => ({ key, value: Buffer.from(value) });
    assert.deepEqual(decoded, {
      operations: [
        {
          kind: "put",
          value: {
            ...change,
            data: [entry("k", "v")],
            binaryData: [],
            expectedVersion: 1,
            ttl: 5,
            expireTime: undefined,
          },
        },
        { kind: "patch", value: { ...change, data: [entry("k", "w")], binaryData: [], remove: ["l"] } },
        { kind: "delete", value: { ...change, versions: [1, 2], requireConverged: true, minWatchers: 40 } },
        { kind: "undelete", value: { ...change, versions: [] } },
        { kind: "destroy", value: { ...change, versions: [1], requireConverged: false, minWatchers: 0 } },
        { kind: "restore", value: { ...change, version: 3 } },
        { kind: "copy", value: { source: "a", version: 3, target: "b", expectedVersion: 0, requestId: "" } },
        { kind: "purge", value: change },
        {
          kind: "metadata",
          value: {
            ...change,
            maxVersions: 3,
            labels: [["team", "shop"]],
            removeLabels: ["old"],
            description: "",
            defaultTtl: 0,
            casRequired: false,
          },
        },
      ].map((each) => ({ change: each })),
      guards,
      requestId: "",
    });
  });

  const rows: [what: string, operation: object | null, message: RegExp][] = [
    ["no kind", { put: { path: "a" } }, /^operations\[1\]: kind is undefined; expected one of put, patch, delete, /],
    ["another kind", { kind: "toString", path: "a" }, /^operations\[1\]: kind is 'toString'; expected one of put/],
    ["nothing", null, /^operations\[1\]: kind is undefined; /],
    [
      "an unknown property",
      { kind: "delete", path: "a", version: 1 },
      /^operations\[1\]: unknown property "version"; expected kind, path, /,
    ],
    // Each operation belongs to one change, so it has no request_id of its own.
    ["a request_id", { kind: "purge", path: "a", requestId: "x" }, /^operations\[1\]: unknown property "requestId"; /],
    ["an invalid argument", { kind: "restore", path: "a", version: 1.5 }, /^operations\[1\]: version is 1.5; expected/],
  ];
  for (const [what, operation, message] of rows) {
    it(`is refused with an operation that has ${what}, and the error names its index`, () => {
      const operations = [OPERATIONS[0], operation] as ChangeOperation[];
      assert.throws(() => commitRequestOf(operations, {}), refuses(message));
    });
  }

  it("is refused with a guard that has no expectedVersion", () => {
    const guards = [{ path: "a" }] as never;
    assert.throws(() => commitRequestOf([], { guards }), refuses(/^guards\[0\]: expectedVersion is required$/));
  });
});

describe("the answer to a Commit", () => {
  it("has the results of the operations, with the types of their kinds", () => {
    const results = OPERATIONS.map((_, index) => ({ path: "a", versions: [index + 1], expireTime: index }));
    const answer = readCommit(OPERATIONS, { results, revision: 5, commitTime: 6, storeRevision: 7 });
    const [put, , deleted, , , , copied, purged, settings] = answer.results;
    // The compiler knows the properties of each result.
    assert.deepEqual([put.version, put.expireTime, copied.version], [1, 0, 7]);
    assert.deepEqual([deleted.versions, purged.lastVersion, settings], [[3], 8, { kind: "settings", path: "a" }]);
    assert.deepEqual([answer.revision, answer.commitTime, answer.storeRevision], [5, 6, 7]);
  });
});
