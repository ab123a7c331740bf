import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ADMIN, API, type Caller, ServerKit, WEB } from "../support/server-kit.ts";

const DBA = "spiffe://example.org/ns/ops/sa/dba";

const POLICY = `
rules:
  - {name: databases, spiffe_ids: [${DBA}], paths: ["*/database"], actions: [write, list]}
  - {name: names, spiffe_ids: [${API}], paths: [shop/**], actions: [list]}
  - {name: one of them, spiffe_ids: [${API}], paths: [shop/own], actions: [describe]}
  - {name: details, spiffe_ids: [${WEB}], paths: [shop/**], actions: [describe]}
`;

const folder = mkdtempSync(join(tmpdir(), "coffer-list-"));
let kit: ServerKit;
let admin: Caller;

before(async () => {
  const policy = join(folder, "policy.yaml");
  writeFileSync(policy, POLICY, { mode: 0o600 });
  kit = await ServerKit.start({ policy });
  admin = kit.caller(ADMIN);
  await put(admin, "shop/own", "shop/other");
});

after(async () => {
  admin.close();
  await kit.stop();
  rmSync(folder, { recursive: true });
});

async function put(caller: Caller, ...paths: readonly string[]): Promise<void> {
  for (const path of paths) assert.equal((await caller.put({ path, data: { value: "x" } })).code, "OK");
}

interface Page {
  readonly paths: readonly string[];
  readonly token: string;
}

async function pages(caller: Caller, page_size: number): Promise<Page[]> {
  const found: Page[] = [];
  let page_token = "";
  do {
    const { code, response } = await caller.list({ page_size, page_token });
    assert.equal(code, "OK");
    page_token = response.next_page_token ?? "";
    found.push({ paths: (response.entries ?? []).map(({ path }: { path: string }) => path), token: page_token });
  } while (page_token !== "");
  return found;
}

describe("the pages of a caller who may list some of the secrets", () => {
  // Otherwise a caller that may write paths next to hidden ones could find these, character by character: by the
  // presence of a token, by its length, and by the end of a page.
  it("are the same with and without hidden secrets", async () => {
    const dba = kit.caller(DBA);
    await put(dba, "b/database", "d/database", "f/database");
    const shapes = async () => (await pages(dba, 1)).map(({ paths, token }) => [paths, token.length]);
    const alone = await shapes();
    assert.equal(alone.length, 3);
    await put(admin, "a/x", "c/x", `c/${"x".repeat(500)}`, "d/database-2", "f/x", "f/database/x", "z/x");
    assert.deepEqual(await shapes(), alone);
    // The control: a caller that may list the hidden secrets gets them.
    assert.ok((await pages(admin, 1)).some(({ paths }) => paths.includes("z/x")));
    dba.close();
  });

  it("have tokens of the same length for paths of any length", async () => {
    await put(admin, `shop/${"long/".repeat(100)}x`, "s");
    const tokens = (await pages(admin, 1)).map(({ token }) => token.length).filter((length) => length > 0);
    assert.ok(tokens.length > 4);
    assert.equal(new Set(tokens).size, 1);
  });
});

describe("the details of a secret", () => {
  // Versions, authors and times reveal who deploys what, and when.
  it("stay hidden from a caller that may only list", async () => {
    const api = kit.caller(API);
    const { response } = await api.list({ prefix: "shop/o" });
    const entries = response.entries.map(({ path, latest_version, update_time }: Record<string, unknown>) => [
      path,
      latest_version !== undefined,
      update_time !== undefined,
    ]);
    assert.deepEqual(entries, [
      ["shop/other", false, false],
      ["shop/own", true, true],
    ]);
    assert.equal((await api.describe({ path: "shop/other" })).reason, "ACCESS_DENIED");
    assert.equal((await api.describe({ path: "shop/own" })).code, "OK");
    api.close();
  });

  it("are visible to a caller that may describe, but not list", async () => {
    const web = kit.caller(WEB);
    assert.equal((await web.describe({ path: "shop/own" })).response.versions[0].created_by, ADMIN);
    assert.equal((await web.list({ prefix: "shop/" })).reason, "ACCESS_DENIED");
    web.close();
  });
});
