import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { MessageTypeDefinition } from "@grpc/proto-loader";
import { loadContract } from "../../src/contract/descriptors.ts";
import { ADMIN, API, type Caller, ServerKit, WEB } from "../support/server-kit.ts";

let kit: ServerKit;
let admin: Caller;
let api: Caller;
let web: Caller;

before(async () => {
  kit = await ServerKit.start();
  admin = kit.caller(ADMIN);
  api = kit.caller(API);
  web = kit.caller(WEB);
});

after(async () => {
  for (const caller of [admin, api, web]) caller.close();
  await kit.stop();
});

const text = (value: string) => ({ value });

const MIB = "v".repeat(1024 * 1024);
const contract = loadContract();

/** The fields of a method's request, from the descriptor that clients generate their code from. */
function fieldsOf(method: string): string[] {
  const request = contract[`coffer.v1.${method}Request`] as MessageTypeDefinition<object, object>;
  return (request.type as { field: { name: string }[] }).field.map(({ name }) => name);
}

describe("Put and Get", () => {
  it("store text and binary values separately, and keep every byte", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const put = await api.put({ path: "shop/api/db", data: { user: "ürsula\u0000" }, binary_data: { key: bytes } });
    assert.equal(put.code, "OK");
    assert.equal(put.response.path, "shop/api/db");
    assert.equal(put.response.version, 1);
    const { response } = await api.get({ path: "shop/api/db" });
    assert.deepEqual(response.data, { user: "ürsula\u0000" });
    assert.deepEqual(response.binary_data, { key: bytes });
    assert.equal(response.version, 1);
    assert.equal(response.revision, put.response.revision);
    assert.deepEqual(response.create_time, put.response.create_time);
  });

  it("count versions from 1, and replace the whole content", async () => {
    await api.put({ path: "shop/api/v", data: { a: "1", b: "1" } });
    const second = await api.put({ path: "shop/api/v", data: { a: "2" } });
    assert.equal(second.response.version, 2);
    assert.deepEqual((await api.get({ path: "shop/api/v" })).response.data, { a: "2" });
    assert.deepEqual((await api.get({ path: "shop/api/v", version: 1 })).response.data, { a: "1", b: "1" });
  });

  it("accept __proto__ as an ordinary name", async () => {
    const put = await admin.put({ path: "__proto__/constructor", data: text("x") });
    assert.equal(put.code, "OK");
    assert.deepEqual((await admin.get({ path: "__proto__/constructor" })).response.data, text("x"));
    assert.equal((await admin.get({ path: "constructor" })).reason, "SECRET_NOT_FOUND");
  });

  it("retain ten versions; an older one is NOT_FOUND and no longer described", async () => {
    for (let i = 1; i <= 12; i++) await api.put({ path: "shop/api/many", data: text(String(i)) });
    const gone = await api.get({ path: "shop/api/many", version: 2 });
    assert.deepEqual([gone.code, gone.reason], ["NOT_FOUND", "VERSION_NOT_FOUND"]);
    assert.deepEqual((await api.get({ path: "shop/api/many", version: 3 })).response.data, text("3"));
    const { response } = await api.describe({ path: "shop/api/many" });
    assert.deepEqual(
      response.versions.map((each: { version: number }) => each.version),
      [3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    );
    assert.equal(response.max_versions, 10);
    assert.equal(response.latest_version, 12);
  });

  it("accept a content of 1 MiB and not one byte more", async () => {
    const fits = await api.put({ path: "shop/api/big", binary_data: { k: Buffer.alloc(1024 * 1024 - 1, 7) } });
    assert.equal(fits.code, "OK");
    assert.equal((await api.get({ path: "shop/api/big" })).response.binary_data.k.length, 1024 * 1024 - 1);
    const over = await api.put({ path: "shop/api/big", binary_data: { k: Buffer.alloc(1024 * 1024, 7) } });
    assert.deepEqual(
      [over.code, over.reason, over.metadata["limit"]],
      ["INVALID_ARGUMENT", "LIMIT_EXCEEDED", "1048576"],
    );
    const huge = await api.put({ path: "shop/api/big", binary_data: { k: Buffer.alloc(5 * 1024 * 1024, 7) } });
    assert.equal(huge.code, "RESOURCE_EXHAUSTED");
  });

  it("compare expected_version with the latest version, also if that is deleted", async () => {
    const path = "shop/api/cas";
    const put = async (expected_version: number) => {
      const { code, reason, metadata } = await api.put({ path, data: text("x"), expected_version });
      return code === "OK" ? "OK" : [code, reason, metadata["latest_version"]];
    };
    assert.deepEqual(await put(1), ["ABORTED", "VERSION_MISMATCH", "0"]);
    assert.equal(await put(0), "OK");
    assert.deepEqual(await put(0), ["ABORTED", "VERSION_MISMATCH", "1"]);
    await api.delete({ path });
    assert.deepEqual(await put(0), ["ABORTED", "VERSION_MISMATCH", "1"]);
    assert.equal(await put(1), "OK");
  });
});

describe("Delete", () => {
  it("never makes an older version current again, and is repeatable", async () => {
    const path = "shop/api/del";
    await api.put({ path, data: text("1") });
    await api.put({ path, data: text("2") });
    const first = await api.delete({ path });
    assert.deepEqual(first.response.versions, [2]);
    const gone = await api.get({ path });
    assert.deepEqual([gone.code, gone.reason, gone.metadata["version"]], ["NOT_FOUND", "VERSION_DELETED", "2"]);
    assert.deepEqual((await api.get({ path, version: 1 })).response.data, text("1"));
    const again = await api.delete({ path });
    assert.deepEqual([again.code, again.response.versions ?? []], ["OK", []]);
    assert.equal(again.response.revision, first.response.revision);
    assert.equal((await api.put({ path, data: text("3") })).response.version, 3);
  });

  it("deletes all versions that it names, or none", async () => {
    const path = "shop/api/set";
    for (const value of ["1", "2", "3"]) await api.put({ path, data: text(value) });
    const none = await api.delete({ path, versions: [1, 9] });
    assert.deepEqual([none.code, none.reason, none.metadata["version"]], ["NOT_FOUND", "VERSION_NOT_FOUND", "9"]);
    assert.equal((await api.get({ path, version: 1 })).code, "OK");
    const some = await api.delete({ path, versions: [2, 1, 2] });
    assert.deepEqual(some.response.versions, [1, 2]);
    const { response } = await api.describe({ path });
    assert.deepEqual(
      response.versions.map((each: { state: string }) => each.state),
      ["VERSION_STATE_DELETED", "VERSION_STATE_DELETED", "VERSION_STATE_LIVE"],
    );
    assert.equal(response.versions[0].deleted_by, API);
    assert.equal(response.versions[0].created_by, API);
    assert.ok(response.versions[0].delete_time);
    assert.ok(!response.versions[2].delete_time);
  });

  it("checks expected_version", async () => {
    const path = "shop/api/del-cas";
    await api.put({ path, data: text("1") });
    assert.equal((await api.delete({ path, expected_version: 2 })).reason, "VERSION_MISMATCH");
    const zero = await api.delete({ path, expected_version: 0 });
    assert.deepEqual([zero.code, zero.metadata["field"]], ["INVALID_ARGUMENT", "expected_version"]);
    assert.equal((await api.delete({ path, expected_version: 1 })).code, "OK");
    assert.equal((await api.delete({ path: "shop/api/none" })).reason, "SECRET_NOT_FOUND");
  });
});

// A caller without a rule gets the same answer, byte for byte, whether or not the secret exists.
describe("a caller that is denied", () => {
  it("gets the same answer with and without the secret", async () => {
    await admin.put({ path: "hidden/yes", data: text("x") });
    for (const method of ["Get", "Put", "Delete", "Describe"]) {
      const answers = await Promise.all(
        ["yes", "no-"].map((name) => web.call(method, { path: `hidden/${name}`, data: text("x") })),
      );
      const [there, absent] = answers.map((answer) => ({
        ...answer,
        message: answer.message.replace(/hidden\/\S+/, ""),
      }));
      assert.equal(there?.code, "PERMISSION_DENIED");
      assert.deepEqual(there, absent);
    }
    assert.equal((await admin.get({ path: "hidden/yes" })).response.version, 1);
  });

  // The check of a content takes time, which only callers that may write can cause. The check of the path's syntax
  // takes almost none.
  it("has its path checked, but not its content", async () => {
    const put = async (caller: Caller, path: string, key: string) => {
      const { code, metadata } = await caller.put({ path, data: { [key]: "v" } });
      return [code, metadata["field"]];
    };
    assert.deepEqual(await put(web, "hidden/content", "a/b"), ["PERMISSION_DENIED", undefined]);
    assert.deepEqual(await put(web, "/hidden", "a/b"), ["INVALID_ARGUMENT", "path"]);
    assert.deepEqual(await put(admin, "hidden/content", "a/b"), ["INVALID_ARGUMENT", "data"]);
    assert.deepEqual(await put(admin, "hidden/content", "a.b"), ["OK", undefined]);
  });

  // A SPIFFE ID of its own, because the tests above may have reached the limit of log lines of another one.
  it("is logged with the caller, the call and the reason", async () => {
    const id = "spiffe://example.org/denied";
    const denied = kit.caller(id);
    await denied.get({ path: "hidden/logged" });
    denied.close();
    await kit.settled();
    const line = kit.log.find((each) => each.event === "call denied" && each["path"] === "hidden/logged");
    assert.equal(line?.["spiffe_id"], id);
    assert.equal(line?.["method"], "/coffer.v1.Secrets/Get");
    assert.equal(line?.["rule"], "no rule");
    assert.equal(typeof line?.["connection"], "number");
  });
});

describe("bad requests", () => {
  // A program finds the field in its request by the name in the error, so the request's descriptor must have that name.
  const rows: [what: string, method: string, request: object, field: string, message: RegExp][] = [
    ["no path", "Get", {}, "path", /path is empty/],
    ["a path with a leading slash", "Get", { path: "/a" }, "path", /begins with a slash/],
    ["a path with a trailing slash", "Get", { path: "a/" }, "path", /ends with a slash/],
    ["a double slash", "Get", { path: "a//b" }, "path", /empty segment/],
    ["a dot segment", "Get", { path: "a/../b" }, "path", /"\." or "\.\."/],
    ["a space", "Get", { path: "a b" }, "path", /contains " "/],
    ["another alphabet", "Get", { path: "a/é" }, "path", /contains "é"/],
    ["a long path", "Get", { path: "a".repeat(513) }, "path", /513 bytes, more than the limit of 512/],
    ["no content", "Put", { path: "shop/api/x" }, "data", /both empty/],
    ["an empty key", "Put", { path: "shop/api/x", data: { "": "v" } }, "data", /an empty key/],
    ["a bad key", "Put", { path: "shop/api/x", data: { "a/b": "v" } }, "data", /the key "a\/b"/],
    ["a long key", "Put", { path: "shop/api/x", data: { ["k".repeat(254)]: "v" } }, "data", /254 bytes/],
    [
      "a long key of bytes",
      "Put",
      { path: "shop/api/x", binary_data: { ["k".repeat(254)]: Buffer.from("v") } },
      "binary_data",
      /a key of binary_data has 254 bytes/,
    ],
    ["too much text", "Put", { path: "shop/api/x", data: { k: MIB } }, "data", /the content has 1048577 bytes/],
    [
      "too many bytes",
      "Put",
      { path: "shop/api/x", binary_data: { k: Buffer.from(MIB) } },
      "binary_data",
      /the content has 1048577 bytes, more than the limit of 1048576/,
    ],
    [
      "too much of both",
      "Put",
      { path: "shop/api/x", data: { t: "v" }, binary_data: { k: Buffer.from(MIB) } },
      "binary_data",
      /the content has 1048579 bytes/,
    ],
    [
      "a key twice",
      "Put",
      { path: "shop/api/x", data: { k: "v" }, binary_data: { k: Buffer.from("v") } },
      "binary_data",
      /second time/,
    ],
    ["version 0 to delete", "Delete", { path: "shop/api/x", versions: [0] }, "versions", /versions start at 1/],
    [
      "many versions to delete",
      "Delete",
      { path: "shop/api/x", versions: Array(1001).fill(1) },
      "versions",
      /limit of 1000/,
    ],
    ["a negative page size", "List", { page_size: -1 }, "page_size", /is negative/],
    [
      "a Delete that expects version 0",
      "Delete",
      { path: "shop/api/x", expected_version: 0 },
      "expected_version",
      /is 0/,
    ],
    ["a long prefix", "List", { prefix: "a".repeat(513) }, "prefix", /513 bytes/],
    ["an invalid page token", "List", { page_token: "AAAA" }, "page_token", /is damaged/],
    ["a prefix with a bad character", "List", { prefix: "a b" }, "prefix", /contains " "/],
    ["a long page token", "List", { page_token: "A".repeat(1025) }, "page_token", /limit of 1024/],
  ];
  for (const [what, method, request, field, message] of rows) {
    it(`${what}: the error names the field and describes the problem`, async () => {
      const answer = await api.call(method, request);
      assert.equal(answer.code, "INVALID_ARGUMENT");
      assert.match(answer.message, message);
      assert.equal(answer.metadata["field"], field);
      assert.deepEqual(answer.violations, [field]);
      assert.ok(fieldsOf(method).includes(field), `${method}Request has no field ${field}`);
    });
  }

  // The control: the same bytes without the fault are accepted.
  const raw: [what: string, hex: string, message: RegExp | undefined][] = [
    ["valid bytes", "0a0b73686f702f6170692f7878", undefined],
    ["truncated bytes", "0a0b73686f702f6170692f78", /path is truncated/],
    ["bad UTF-8", "0a0b73686f702f6170692fc328", /path is not valid UTF-8/],
    ["a wrong wire type", "080b", /path has wire type 0/],
    ["a version of 40 bits", "0a0b73686f702f6170692f787810ffffffffff1f", /version does not fit in 32 bits/],
  ];
  for (const [what, hex, message] of raw) {
    it(`${what}, in the encoded request`, async () => {
      const answer = await api.raw("Get", Buffer.from(hex, "hex"));
      if (message === undefined) return assert.equal(answer.reason, "SECRET_NOT_FOUND");
      assert.deepEqual([answer.code, answer.reason], ["INVALID_ARGUMENT", "MALFORMED_REQUEST"]);
      assert.match(answer.message, message);
    });
  }
});
