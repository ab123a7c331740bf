import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { API, type Caller, type Outcome, ServerKit, WEB } from "../support/server-kit.ts";

let kit: ServerKit;
let api: Caller;
let web: Caller;
/** A path below which the secrets of the current test are. */
let folder: string;

before(async () => {
  kit = await ServerKit.start();
  api = kit.caller(API);
  web = kit.caller(WEB);
});

beforeEach(() => {
  folder = `shop/api/${randomUUID()}`;
});

after(async () => {
  api.close();
  web.close();
  await kit.stop();
});

const commit = (request: object, caller = api) => caller.call("Commit", request);
const put = (path: string, value = "v", more: object = {}) => ({ put: { path, data: { k: value }, ...more } });
const textOf = async (path: string) => {
  const { code, response, reason } = await api.get({ path });
  return code === "OK" ? response.data.k : reason;
};

function ok({ code, message, response }: Outcome) {
  assert.equal(code, "OK", message);
  return response;
}

describe("Commit", () => {
  it("makes all changes in order, with one revision, and answers what each of them did", async () => {
    ok(await api.put({ path: `${folder}/old`, data: { k: "1" } }));
    const response = ok(
      await commit({
        operations: [
          put(`${folder}/a`, "1"),
          put(`${folder}/a`, "2"),
          { patch: { path: `${folder}/a`, data: { more: "x" }, expected_version: 2 } },
          { copy: { source: `${folder}/old`, target: `${folder}/new` } },
          { delete: { path: `${folder}/a`, versions: [1, 2] } },
          { undelete: { path: `${folder}/a`, versions: [2] } },
          { destroy: { path: `${folder}/a`, versions: [1] } },
          { restore: { path: `${folder}/a`, version: 2 } },
          { metadata: { path: `${folder}/a`, labels: { team: "shop" } } },
          { purge: { path: `${folder}/old` } },
        ],
      }),
    );
    const results = response.results.map(({ path, versions = [] }: { path: string; versions?: number[] }) => [
      path.slice(folder.length + 1),
      versions,
    ]);
    assert.deepEqual(results, [
      ["a", [1]],
      ["a", [2]],
      ["a", [3]],
      ["new", [1]],
      ["a", [1, 2]],
      ["a", [2]],
      ["a", [1]],
      ["a", [4]],
      ["a", []],
      ["old", [1]],
    ]);
    const described = ok(await api.describe({ path: `${folder}/a` }));
    assert.deepEqual(
      described.versions.map(({ state, revision }: { state: string; revision: number }) => [state, revision]),
      ["DESTROYED", "LIVE", "LIVE", "LIVE"].map((state) => [`VERSION_STATE_${state}`, response.revision]),
    );
    assert.deepEqual(described.labels, { team: "shop" });
    assert.equal(await textOf(`${folder}/new`), "1");
    assert.equal(await textOf(`${folder}/old`), "SECRET_NOT_FOUND");
  });

  // Each refused operation is between two operations that would succeed.
  const refused: readonly [what: string, operation: (path: string) => object, code: string, reason: string][] = [
    ["another version", (path) => put(path, "v", { expected_version: 7 }), "ABORTED", "VERSION_MISMATCH"],
    ["a secret that does not exist", (path) => ({ purge: { path: `${path}x` } }), "NOT_FOUND", "SECRET_NOT_FOUND"],
    ["a missing version", (path) => ({ destroy: { path, versions: [9] } }), "NOT_FOUND", "VERSION_NOT_FOUND"],
    ["a content without keys", (path) => ({ patch: { path, remove: ["k"] } }), "INVALID_ARGUMENT", "INVALID_FIELD"],
    ["a secret that the caller may not write", () => put("hidden/x"), "PERMISSION_DENIED", "ACCESS_DENIED"],
    [
      "a secret that the caller may not read",
      (path) => ({ copy: { source: "hidden/x", target: path } }),
      "PERMISSION_DENIED",
      "ACCESS_DENIED",
    ],
  ];
  for (const [what, operation, code, reason] of refused) {
    it(`changes nothing if an operation is refused, and names it: ${what}`, async () => {
      const path = `${folder}/a`;
      ok(await api.put({ path, data: { k: "before" } }));
      const bad = await commit({ operations: [put(path, "after"), operation(path), put(`${folder}/b`)] });
      assert.deepEqual([bad.code, bad.reason, bad.metadata["operation"]], [code, reason, "1"]);
      assert.match(bad.message, /^operation 1: /);
      assert.equal(await textOf(path), "before");
      assert.equal(await textOf(`${folder}/b`), "SECRET_NOT_FOUND");
      // The control: without the refused operation, the others are applied.
      ok(await commit({ operations: [put(path, "after"), put(`${folder}/b`)] }));
      assert.equal(await textOf(path), "after");
    });
  }

  it("changes nothing if a guard does not hold, and names it", async () => {
    const guarded = `${folder}/guarded`;
    ok(await api.put({ path: guarded, data: { k: "v" } }));
    const guards = (expected: number) => [
      { path: `${folder}/none`, expected_version: 0 },
      { path: guarded, expected_version: expected },
    ];
    const bad = await commit({ operations: [put(`${folder}/a`)], guards: guards(2) });
    assert.deepEqual(
      [bad.reason, bad.metadata["guard"], bad.metadata["latest_version"]],
      ["VERSION_MISMATCH", "1", "1"],
    );
    assert.match(bad.message, /^guard 1: /);
    assert.equal(await textOf(`${folder}/a`), "SECRET_NOT_FOUND");
    ok(await commit({ operations: [put(`${folder}/a`)], guards: guards(1) }));
  });

  it("requires read on the path of each guard", async () => {
    const bad = await commit({ operations: [put(`${folder}/a`)], guards: [{ path: "hidden/x", expected_version: 0 }] });
    assert.deepEqual([bad.reason, bad.metadata["guard"]], ["ACCESS_DENIED", "0"]);
    assert.equal(await textOf(`${folder}/a`), "SECRET_NOT_FOUND");
  });

  it("has the index of an operation in its errors, and a call such as Purge has none", async () => {
    const bad = await api.call("Purge", { path: `${folder}/none` });
    assert.deepEqual([bad.reason, bad.metadata], ["SECRET_NOT_FOUND", { path: `${folder}/none` }]);
    assert.match(bad.message, /^there is no secret at /);
  });

  it("logs a denied operation with its path and action, and a Commit that is denied as a whole", async () => {
    await commit({ operations: [put(`${folder}/a`), { purge: { path: "hidden/logged" } }] });
    // web may only read.
    const denied = await commit({ operations: [put(`${folder}/a`)] }, web);
    assert.deepEqual([denied.code, denied.metadata["operation"]], ["PERMISSION_DENIED", undefined]);
    await kit.settled();
    const lines = kit.log
      .filter(({ event, method }) => event === "call denied" && method === "/coffer.v1.Secrets/Commit")
      .map(({ spiffe_id, action, path }) => [spiffe_id, action, path]);
    for (const line of [
      [API, "destroy", "hidden/logged"],
      [WEB, "write, delete, destroy", undefined],
    ]) {
      assert.ok(
        lines.some((each) => isDeepStrictEqual(each, line)),
        String(line),
      );
    }
  });

  it("names a field of an operation by its path", async () => {
    const bad = await commit({ operations: [put(`${folder}/a`), put(`${folder}//b`)] });
    assert.deepEqual([bad.reason, bad.violations], ["INVALID_FIELD", ["operations[1].put.path"]]);
    const raw = await commit({ operations: [{}, put(`${folder}/b`)] });
    assert.deepEqual([raw.reason, raw.violations], ["INVALID_FIELD", ["operations[0].change"]]);
  });
});

describe("a request_id", () => {
  const id = () => randomUUID();

  it("makes a repeated request get the first answer, and nothing is applied twice", async () => {
    const requests: readonly [string, (request_id: string) => object][] = [
      ["Put", (request_id) => ({ path: `${folder}/a`, data: { k: "1" }, request_id })],
      ["Patch", (request_id) => ({ path: `${folder}/a`, data: { k: "2" }, request_id })],
      ["Copy", (request_id) => ({ source: `${folder}/a`, target: `${folder}/b`, request_id })],
      ["Restore", (request_id) => ({ path: `${folder}/a`, version: 1, request_id })],
      ["Delete", (request_id) => ({ path: `${folder}/a`, request_id })],
      ["Undelete", (request_id) => ({ path: `${folder}/a`, request_id })],
      ["Destroy", (request_id) => ({ path: `${folder}/a`, versions: [1], request_id })],
      ["Metadata", (request_id) => ({ path: `${folder}/a`, description: "d", request_id })],
      ["Commit", (request_id) => ({ operations: [put(`${folder}/c`), put(`${folder}/c`)], request_id })],
      ["Purge", (request_id) => ({ path: `${folder}/a`, request_id })],
    ];
    for (const [call, request] of requests) {
      const request_id = id();
      const { store_revision, ...first } = ok(await api.call(call, request(request_id)));
      const { store_revision: now, ...again } = ok(await api.call(call, request(request_id.toUpperCase())));
      assert.deepEqual(again, first, call);
      assert.equal(now, store_revision, `${call} was not applied again`);
    }
  });

  it("is refused for another request of the same caller, and free for another caller", async () => {
    const request_id = id();
    ok(await api.put({ path: `${folder}/a`, data: { k: "1" }, request_id }));
    for (const request of [
      { path: `${folder}/a`, data: { k: "2" }, request_id },
      { path: `${folder}/b`, data: { k: "1" }, request_id },
      { path: `${folder}/a`, data: { k: "1" }, expected_version: 1, request_id },
    ]) {
      const { code, reason, violations } = await api.put(request);
      assert.deepEqual([code, reason, violations], ["INVALID_ARGUMENT", "REQUEST_ID_REUSED", ["request_id"]]);
    }
    const deleted = await api.delete({ path: `${folder}/a`, request_id });
    assert.equal(deleted.reason, "REQUEST_ID_REUSED");
    const admin = kit.caller("spiffe://example.org/admin");
    ok(await admin.put({ path: `${folder}/a`, data: { k: "2" }, request_id }));
    admin.close();
  });

  it("of a refused request can be used again", async () => {
    const request_id = id();
    const bad = await api.put({ path: `${folder}/a`, data: { k: "1" }, expected_version: 3, request_id });
    assert.equal(bad.reason, "VERSION_MISMATCH");
    ok(await api.put({ path: `${folder}/a`, data: { k: "1" }, expected_version: 0, request_id }));
  });
});
