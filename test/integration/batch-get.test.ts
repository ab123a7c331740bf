import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { status as Code } from "@grpc/grpc-js";
import { ADMIN, API, type Caller, type Outcome, ServerKit, WEB } from "../support/server-kit.ts";

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

function ok({ code, message, response }: Outcome) {
  assert.equal(code, "OK", message);
  return response;
}

describe("BatchGet", () => {
  it("has for each path what a Get answers: the content, or its error", async () => {
    ok(await admin.put({ path: "shop/shared/live", data: { k: "v" }, binary_data: { b: Buffer.of(0, 255) } }));
    ok(await admin.put({ path: "shop/shared/deleted", data: { k: "v" } }));
    ok(await admin.delete({ path: "shop/shared/deleted" }));
    ok(await admin.put({ path: "shop/shared/destroyed", data: { k: "v" } }));
    ok(await admin.call("Destroy", { path: "shop/shared/destroyed" }));
    ok(await admin.call("Metadata", { path: "shop/shared/empty", description: "no version yet" }));
    ok(await admin.put({ path: "hidden/x", data: { k: "v" } }));
    const names = ["live", "deleted", "destroyed", "empty", "none", "live"];
    const paths = [...names.map((name) => `shop/shared/${name}`), "hidden/x", "hidden/none"];
    const { entries, store_revision } = ok(await web.call("BatchGet", { paths }));
    assert.deepEqual(
      entries.map(({ path }: { path: string }) => path),
      paths,
    );
    for (const [index, path] of paths.entries()) {
      const { secret, error } = entries[index];
      const get = await web.get({ path });
      if (get.code === "OK") {
        assert.deepEqual(secret, get.response);
        assert.equal(secret.store_revision, store_revision);
        assert.equal(error, undefined);
      } else {
        assert.deepEqual([Code[error.code], error.reason, error.message], [get.code, get.reason, get.message], path);
        assert.deepEqual(error.metadata, get.metadata);
      }
    }
  });

  it("is refused as a whole for a caller that may read nothing", async () => {
    const other = kit.caller("spiffe://example.org/ns/shop/sa/other");
    const { code, reason, metadata } = await other.call("BatchGet", { paths: ["shop/shared/live"] });
    assert.deepEqual([code, reason, metadata["action"]], ["PERMISSION_DENIED", "ACCESS_DENIED", "read"]);
    other.close();
  });

  it("logs each path that the caller may not read", async () => {
    ok(await web.call("BatchGet", { paths: ["hidden/logged-1", "shop/shared/live", "hidden/logged-2"] }));
    await kit.settled();
    const paths = kit.log.filter(({ event }) => event === "call denied").map(({ path }) => path);
    for (const path of ["hidden/logged-1", "hidden/logged-2"]) assert.ok(paths.includes(path), path);
  });

  // Every Commit writes both secrets. A BatchGet that reads them at two revisions would sometimes find two values.
  it("reads all secrets as of one revision, while Commits change them", async () => {
    const paths = Array.from({ length: 16 }, (_, i) => `shop/api/batch/${i}`);
    const write = (value: number) =>
      api.call("Commit", { operations: paths.map((path) => ({ put: { path, data: { k: String(value) } } })) });
    ok(await write(0));
    let isDone = false;
    const seen = new Set<string>();
    // Until the readers have seen several Commits, however slowly they read.
    const writing = (async () => {
      for (let value = 1; value <= 100 || seen.size < 2; value++) ok(await write(value));
      isDone = true;
    })();
    const readers = Array.from({ length: 4 }, () => kit.caller(API));
    const reading = readers.map(async (reader) => {
      while (!isDone) {
        const { entries } = ok(await reader.call("BatchGet", { paths }));
        const values = new Set<string>(entries.map(({ secret }: { secret: { data: { k: string } } }) => secret.data.k));
        assert.equal(values.size, 1, [...values].join());
        for (const value of values) seen.add(value);
      }
    });
    await Promise.all([writing, ...reading]);
    for (const reader of readers) reader.close();
  });
});

describe("Get", () => {
  const path = "shop/api/get";
  before(async () => {
    ok(await api.put({ path, data: { user: "app", password: "p" }, binary_data: { raw: Buffer.of(1) } }));
  });

  it("returns only the requested keys, each as text or as binary data as it was put", async () => {
    const { data, binary_data } = ok(await api.get({ path, keys: ["user", "raw"] }));
    assert.deepEqual([data, binary_data], [{ user: "app" }, { raw: Buffer.of(1) }]);
    const missing = await api.get({ path, keys: ["user", "none"] });
    assert.deepEqual([missing.code, missing.reason, missing.metadata["key"]], ["NOT_FOUND", "KEY_NOT_FOUND", "none"]);
  });

  it("answers without content if the caller has the version", async () => {
    const same = ok(await api.get({ path, if_version_not: 1 }));
    assert.deepEqual([same.version, same.not_modified], [1, true]);
    assert.deepEqual([same.data ?? {}, same.binary_data ?? {}], [{}, {}]);
    const other = ok(await api.get({ path, if_version_not: 2 }));
    assert.deepEqual([other.version, other.not_modified ?? false, other.data.user], [1, false, "app"]);
  });

  it("fails if the store has not reached the revision that the caller has seen", async () => {
    const { store_revision } = ok(await api.get({ path }));
    ok(await api.get({ path, min_revision: store_revision }));
    const ahead = await api.get({ path, min_revision: store_revision + 1 });
    assert.deepEqual([ahead.code, ahead.reason], ["UNAVAILABLE", "REVISION_AHEAD"]);
    assert.equal(
      (await api.call("BatchGet", { paths: [path], min_revision: store_revision + 1 })).reason,
      "REVISION_AHEAD",
    );
  });
});
