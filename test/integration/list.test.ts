import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
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

describe("List", () => {
  const paths = Array.from({ length: 25 }, (_, i) => `list/p${String(i).padStart(2, "0")}`);

  before(async () => {
    await Promise.all([...paths].reverse().map((path) => admin.put({ path, data: text("x") })));
    await admin.put({ path: "list/deleted", data: text("x") });
    await admin.delete({ path: "list/deleted" });
  });

  async function pages(caller: Caller, request: object): Promise<string[][]> {
    const found: string[][] = [];
    let page_token = "";
    do {
      const { response } = await caller.list({ ...request, page_token });
      found.push((response.entries ?? []).map((entry: { path: string }) => entry.path));
      page_token = response.next_page_token ?? "";
    } while (page_token !== "");
    return found;
  }

  it("returns every path once, in order, without the deleted ones", async () => {
    const found = await pages(admin, { prefix: "list/", page_size: 10 });
    assert.deepEqual(
      found.map((page) => page.length),
      [10, 10, 5],
    );
    assert.deepEqual(found.flat(), paths);
  });

  it("accepts any leading part of a path as a prefix", async () => {
    assert.deepEqual((await pages(admin, { prefix: "list/p2" })).flat(), paths.slice(20));
    assert.deepEqual((await pages(admin, { prefix: "lis" })).flat(), paths);
    assert.deepEqual((await pages(admin, { prefix: "nothing" })).flat(), []);
  });

  it("returns each entry's latest version and last change", async () => {
    const put = await admin.put({ path: "list2/a", data: text("1") });
    const { response } = await admin.list({ prefix: "list2/" });
    assert.equal(response.entries[0].latest_version, 1);
    assert.deepEqual(response.entries[0].update_time, put.response.create_time);
  });

  it("limits large page sizes and refuses negative ones", async () => {
    assert.equal((await admin.list({ page_size: 2_000_000 })).code, "OK");
    const negative = await admin.list({ page_size: -1 });
    assert.deepEqual([negative.code, negative.metadata["field"]], ["INVALID_ARGUMENT", "page_size"]);
  });

  it("binds its tokens to caller and prefix, and encrypts them", async () => {
    const { response } = await admin.list({ prefix: "list/", page_size: 3 });
    const token: string = response.next_page_token;
    const outcomeOf = async (caller: Caller, prefix: string, page_token: string) => {
      const { code, reason } = await caller.list({ prefix, page_size: 3, page_token });
      return reason ?? code;
    };
    assert.equal(await outcomeOf(admin, "list/", token), "OK");
    assert.equal(await outcomeOf(admin, "list", token), "INVALID_PAGE_TOKEN");
    assert.equal(await outcomeOf(api, "list/", token), "INVALID_PAGE_TOKEN");
    for (let i = 0; i < token.length; i += 7) {
      const other = token[i] === "A" ? "B" : "A";
      const damaged = token.slice(0, i) + other + token.slice(i + 1);
      assert.equal(await outcomeOf(admin, "list/", damaged), "INVALID_PAGE_TOKEN", `character ${i}`);
    }
    assert.equal(await outcomeOf(admin, "list/", `${token}=`), "INVALID_PAGE_TOKEN");
    assert.equal(await outcomeOf(admin, "list/", "x"), "INVALID_PAGE_TOKEN");
    assert.ok(!Buffer.from(token, "base64url").toString("latin1").includes("list/p"));
  });

  it("has tokens that stay valid after a restart", async () => {
    const { response } = await admin.list({ prefix: "list/", page_size: 3 });
    await kit.restart();
    for (const caller of [admin, api, web]) caller.close();
    [admin, api, web] = [kit.caller(ADMIN), kit.caller(API), kit.caller(WEB)];
    const next = await admin.list({ prefix: "list/", page_size: 3, page_token: response.next_page_token });
    assert.deepEqual(
      next.response.entries.map((entry: { path: string }) => entry.path),
      paths.slice(3, 6),
    );
  });

  it("returns to a caller only what it may list, and is denied to a caller that may list nothing", async () => {
    await admin.put({ path: "shop/shared/x", data: text("x") });
    assert.deepEqual((await pages(api, { prefix: "shop/shared" })).flat(), ["shop/shared/x"]);
    assert.deepEqual((await pages(api, { prefix: "list/" })).flat(), []);
    const denied = await web.list({ prefix: "shop/shared" });
    assert.deepEqual([denied.code, denied.reason], ["PERMISSION_DENIED", "ACCESS_DENIED"]);
  });
});
