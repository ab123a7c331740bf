import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import type { Caller } from "../support/server-kit.ts";
import { ADMIN, API, ServerKit, WEB } from "../support/server-kit.ts";
import { Watching } from "../support/watching.ts";

const WEB_WATCHES = `
rules:
  - name: web
    spiffe_ids: [${WEB}]
    paths: [shop/shared/*]
    actions: [read, watch]
`;

describe("Watch", () => {
  let kit: ServerKit;
  let admin: Caller;
  let web: Caller;
  before(async () => {
    kit = await ServerKit.start();
    await adoptPolicy(WEB_WATCHES);
    admin = kit.caller(ADMIN);
    web = kit.caller(WEB);
  });
  after(async () => {
    admin.close();
    web.close();
    await kit.stop();
  });

  async function put(path: string, value: string): Promise<number> {
    const { response } = await admin.put({ path, data: { k: value } });
    return response.revision as number;
  }

  /** Resolves when every front decides by the policy. */
  async function adoptPolicy(text: string): Promise<void> {
    const loads = () => kit.log.filter(({ event }) => event === "policy loaded").length;
    const before = loads();
    writeFileSync(kit.config.policy!, text);
    kit.server.reload();
    while (loads() === before) await new Promise((resolve) => setTimeout(resolve, 5));
    await kit.settled();
  }

  // The newest state of what exists comes first, then SYNCED, then each change.
  it("sends the newest states, SYNCED, and then each change with its revision", async () => {
    await put("shop/shared/first", "1");
    const second = await put("shop/shared/first", "2");
    const watching = new Watching(web, { prefixes: ["shop/"], withValues: true });
    const synced = await watching.synced();
    assert.deepEqual(watching.shown, ["shop/shared/first v2 live k=2", "synced 1/1"]);
    assert.ok(synced.revision >= second);
    const third = await put("shop/shared/first", "3");
    await put("shop/api/hidden", "x");
    const fourth = await put("shop/shared/other", "1");
    await watching.first((text) => text.startsWith("shop/shared/other"));
    assert.deepEqual(watching.shown.slice(2), ["shop/shared/first v3 live k=3", "shop/shared/other v1 live k=1"]);
    assert.deepEqual(watching.revisions, [second, third, fourth]);
    watching.cancel();
  });

  it("sends deletions, destructions and purges, and no content without with_values", async () => {
    const watching = new Watching(web, { paths: ["shop/shared/life", "shop/shared/life"] });
    await watching.synced();
    const path = "shop/shared/life";
    const first = await put(path, "1");
    await watching.first((text) => text === `${path} v1 live`);
    await admin.delete({ path });
    await watching.first((text) => text === `${path} v1 deleted`);
    await admin.call("Undelete", { path });
    await watching.first((text, { revision }) => text === `${path} v1 live` && revision > first);
    await admin.call("Destroy", { path });
    await watching.first((text) => text === `${path} v1 destroyed`);
    await admin.call("Purge", { path });
    await watching.first((text) => text === `${path} v1 purged`);
    assert.equal(watching.shown[0], "synced 1/1");
    watching.cancel();
  });

  // A caller that knows a revision gets what has changed since then, and nothing else.
  it("continues from a revision with the later changes, purges included", async () => {
    for (const name of ["kept", "changed", "purged"]) await put(`shop/shared/r-${name}`, "1");
    const first = new Watching(web, { prefixes: ["shop/shared/r-"] });
    await first.synced();
    first.cancel();
    await put("shop/shared/r-changed", "2");
    await admin.call("Purge", { path: "shop/shared/r-purged" });
    const second = new Watching(web, { prefixes: ["shop/shared/r-"], ...first.bookmark });
    await second.synced();
    assert.deepEqual(second.shown, ["shop/shared/r-changed v2 live", "shop/shared/r-purged v1 purged", "synced 1/1"]);
    second.cancel();
  });

  it("sends a secret when a rule begins to allow it, and REVOKED when no rule allows it any more", async () => {
    await adoptPolicy("rules: []");
    await put("shop/shared/silent", "1");
    const watching = new Watching(web, { paths: ["shop/shared/silent"], withValues: true });
    await watching.synced();
    assert.deepEqual(watching.shown, ["synced 0/1"]);
    await adoptPolicy(WEB_WATCHES);
    // The server sends no SYNCED for a policy that another one replaces before everything is sent.
    await watching.first(() => watching.shown.length === 3);
    await adoptPolicy("rules: []");
    await watching.first(() => watching.shown.length === 5);
    await put("shop/shared/silent", "2");
    await adoptPolicy(WEB_WATCHES);
    await watching.first(() => watching.shown.length === 7);
    assert.deepEqual(watching.shown, [
      "synced 0/1",
      "shop/shared/silent v1 live k=1",
      "synced 1/1",
      "revoked shop/shared/silent",
      "synced 0/1",
      "shop/shared/silent v2 live k=2",
      "synced 1/1",
    ]);
    watching.cancel();
  });

  it("refuses requests without paths or with too many, a revision of another store, and the server's own SPIFFE ID", async () => {
    const end = (request: ConstructorParameters<typeof Watching>[1], caller = web) =>
      new Watching(caller, request).ended();
    const names = Array.from({ length: 65 }, (_, i) => `a/${i}`);
    assert.deepEqual(await end({}), { code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
    assert.deepEqual(await end({ paths: ["/"] }), { code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
    assert.deepEqual(await end({ paths: names, prefixes: names }), {
      code: "INVALID_ARGUMENT",
      reason: "LIMIT_EXCEEDED",
    });
    assert.deepEqual(await end({ paths: ["a"], fromRevision: 1e9 }), { code: "UNAVAILABLE", reason: "REVISION_AHEAD" });
    const itself = kit.caller("spiffe://example.org/coffer");
    assert.deepEqual(await end({ paths: ["a"] }, itself), { code: "PERMISSION_DENIED", reason: "ACCESS_DENIED" });
    itself.close();
  });

  it("ends with SHUTTING_DOWN when the server stops, and continues at the next one without RESYNC", async () => {
    await put("shop/shared/stop", "1");
    const watching = new Watching(web, { paths: ["shop/shared/stop"] });
    await watching.synced();
    const [end] = await Promise.all([watching.ended(), kit.restart()]);
    assert.deepEqual(end, { code: "UNAVAILABLE", reason: "SHUTTING_DOWN" });
    for (const caller of [admin, web]) caller.close();
    [admin, web] = [kit.caller(ADMIN), kit.caller(WEB)];
    const again = new Watching(web, { paths: ["shop/shared/stop"], ...watching.bookmark });
    await again.synced();
    assert.deepEqual(again.shown, ["synced 1/1"]);
    again.cancel();
  });

  it("sends nothing to a caller that no rule allows to watch, and everything to an admin", async () => {
    const api = kit.caller(API);
    const [blind, seeing] = [new Watching(api, { prefixes: [""] }), new Watching(admin, { prefixes: [""] })];
    await Promise.all([blind.synced(), seeing.synced()]);
    assert.deepEqual(blind.shown, ["synced 0/1"]);
    assert.ok(seeing.shown.includes("shop/api/hidden v1 live"));
    for (const watching of [blind, seeing]) watching.cancel();
    api.close();
  });
});
