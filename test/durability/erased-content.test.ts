import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import type { Caller } from "../support/server-kit.ts";
import { Site } from "../support/server-process.ts";
import { filesWith, sealedOf } from "../support/stored-content.ts";
import { until } from "../support/until.ts";

const sites: Site[] = [];
after(() => Promise.all(sites.map((site) => site.remove())));

function newSite(): Site {
  const site = new Site();
  sites.push(site);
  return site;
}

/** Puts a secret between others, and returns its sealed content, which the disk has unless it was removed since. */
async function putBetween(
  site: Site,
  caller: Caller,
  secret: { readonly path: string; readonly ttl?: object },
): Promise<Buffer> {
  for (const request of [{ path: "before" }, secret, { path: "after" }]) {
    const { code } = await caller.put({ data: { value: `of ${request.path}`.repeat(40) }, ...request });
    assert.equal(code, "OK");
  }
  return sealedOf(site, secret.path);
}

/** Puts "secret" between others, and returns its sealed content. The control: the search finds it on the disk. */
async function putSecret(site: Site, caller: Caller): Promise<Buffer> {
  const sealed = await putBetween(site, caller, { path: "secret" });
  assert.ok(sealed.length > 300);
  assert.notDeepEqual(filesWith(site, sealed), []);
  return sealed;
}

/** Whether the content of the only version of a secret was removed. */
async function isRemoved(caller: Caller, path: string): Promise<boolean> {
  const { response } = await caller.describe({ path });
  return response.versions[0].destroy_time !== undefined;
}

/**
 * As {@link putSecret}, with a version that expires, and also returns its path. On a slow machine, a version can expire
 * before the control has found its content, so each one lives twice as long as the last.
 */
async function putExpiring(site: Site, caller: Caller): Promise<{ readonly path: string; readonly sealed: Buffer }> {
  for (let seconds = 2; ; seconds *= 2) {
    const path = `secret-${seconds}`;
    const sealed = await putBetween(site, caller, { path, ttl: { seconds } });
    if (filesWith(site, sealed).length > 0) return { path, sealed };
    await until("a content that the search does not find was removed", () => isRemoved(caller, path));
  }
}

const REMOVALS = [
  ["Destroy", { path: "secret" }, "VERSION_DESTROYED"],
  ["Purge", { path: "secret" }, "SECRET_NOT_FOUND"],
  [
    "Commit",
    { operations: [{ put: { path: "other", data: { a: "b" } } }, { destroy: { path: "secret" } }] },
    "VERSION_DESTROYED",
  ],
] as const;

describe("the sealed content of a version", () => {
  // When the answer arrives, no file of the store has the content. So a kill immediately after it changes nothing.
  for (const [method, request, reason] of REMOVALS) {
    it(`is in no file after the answer to a ${method} and a kill`, async () => {
      const site = newSite();
      const server = await site.start();
      const caller = site.caller(server);
      const sealed = await putSecret(site, caller);
      const { code, message } = await caller.call(method, request);
      assert.equal(code, "OK", message);
      assert.deepEqual(filesWith(site, sealed), []);
      await server.kill();
      caller.close();
      assert.deepEqual(filesWith(site, sealed), []);
      const again = await site.start();
      const reader = site.caller(again);
      assert.equal((await reader.get({ path: "secret" })).reason, reason);
      assert.equal((await reader.get({ path: "before" })).code, "OK");
      assert.deepEqual(filesWith(site, sealed), []);
      reader.close();
      assert.deepEqual(await again.stop(), { code: 0, signal: null });
      assert.deepEqual(filesWith(site, sealed), []);
    });
  }

  // A kill before the answer leaves a version that is destroyed or not. When the call is repeated, its answer again means
  // that no file has the content.
  it("is in no file after a repeated Destroy, if a kill came before the first answer", async () => {
    for (let round = 0; round < 4; round++) {
      const site = newSite();
      const server = await site.start();
      const caller = site.caller(server);
      const sealed = await putSecret(site, caller);
      const first = caller.call("Destroy", { path: "secret" });
      if (round % 2 === 1) await caller.get({ path: "before" });
      await server.kill();
      await first;
      caller.close();
      const again = await site.start();
      const reader = site.caller(again);
      const got = await reader.get({ path: "secret" });
      assert.ok(got.code === "OK" || got.reason === "VERSION_DESTROYED", got.message);
      assert.equal((await reader.call("Destroy", { path: "secret" })).code, "OK");
      assert.equal((await reader.get({ path: "secret" })).reason, "VERSION_DESTROYED");
      assert.deepEqual(filesWith(site, sealed), []);
      reader.close();
    }
  });

  // The server removes the content of an expired version by itself. The control has to find it before.
  it("is in no file after it has expired", async () => {
    const site = newSite();
    const server = await site.start();
    const caller = site.caller(server);
    const { path, sealed } = await putExpiring(site, caller);
    await until("the version has expired", () => isRemoved(caller, path));
    await until("no file has the content", () => filesWith(site, sealed).length === 0);
    assert.equal((await caller.get({ path })).reason, "VERSION_EXPIRED");
    assert.equal((await caller.get({ path: "after" })).code, "OK");
    caller.close();
    await server.kill();
    assert.deepEqual(filesWith(site, sealed), []);
  });
});
