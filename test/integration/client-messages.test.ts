import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { InternalOptions } from "../../src/client/client-options.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import type { ListingEntry, ListingPrefix } from "../../src/client/list-pages.ts";
import * as messages from "../../src/contract/messages.ts";
import { formatAddress } from "../../src/domain/address.ts";
import { systemClock } from "../../src/domain/timers.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { failureOf } from "../support/client-failure.ts";
import { IdentityFolder } from "../support/identity-folder.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { ScriptedServer } from "../support/scripted-server.ts";

const SERVER_ID = "spiffe://example.org/coffer";
const ca = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock);

describe("the messages of a call", () => {
  let server: ScriptedServer;
  let files: IdentityFolder;
  let client: CofferClient;
  before(async () => {
    files = new IdentityFolder(ca);
    server = await ScriptedServer.start(ca.issue({ id: SERVER_ID }));
  });
  beforeEach(() => {
    client = open();
  });
  afterEach(() => client.close());
  after(async () => {
    files.remove();
    await server.stop();
  });

  const open = (options: Partial<InternalOptions> = {}) =>
    new CofferClient({
      address: formatAddress(server.address),
      serverId: SERVER_ID,
      environment: files.environment,
      timeoutMs: PATIENCE_MS,
      ...options,
    });

  // The server applies a change with a request_id once, so the client can repeat it as well.
  it("are sent again after a broken connection if the call changes something, with the same request_id", async () => {
    const put = client.put("a", { k: "v" });
    const first = await server.call();
    const { requestId } = await first.request(messages.putRequest);
    assert.match(requestId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    first.hangUp();
    const second = await server.call();
    assert.equal((await second.request(messages.putRequest)).requestId, requestId);
    second.respond(messages.putResponse, {
      path: "a",
      version: 1,
      revision: 1,
      createTime: 0,
      expireTime: 5,
      storeRevision: 2,
    });
    const answer = await put;
    assert.deepEqual([answer.version, answer.expireTime, answer.storeRevision], [1, 5, 2]);
  });

  it("are not sent again after a broken connection if the call may have changed something and has no request_id", async () => {
    const own = open({ requestIds: false });
    const put = failureOf(own.put("a", { k: "v" }));
    const call = await server.call();
    assert.equal((await call.request(messages.putRequest)).requestId, "");
    call.hangUp();
    const error = await put;
    assert.deepEqual([error.code, error.applied, error.requestId], ["UNKNOWN", "unknown", undefined]);
    assert.equal(server.waiting, 0);
    await own.close();
  });

  // The program can be restarted meanwhile, or make the call with another client.
  it("are sent again if the caller makes the call again, with the request_id of the error", async () => {
    const own = open({ retry: false });
    const failed = failureOf(own.purge("a"));
    (await server.call()).hangUp();
    const { requestId } = await failed;
    const again = client.purge("a", { requestId });
    const call = await server.call();
    assert.deepEqual(await call.request(messages.purgeRequest), { path: "a", expectedVersion: undefined, requestId });
    call.respond(messages.purgeResponse, { path: "a", lastVersion: 3, revision: 9, storeRevision: 9 });
    assert.equal((await again).lastVersion, 3);
    await own.close();
  });

  const SECRET: messages.GetResponse = {
    path: "a",
    version: 3,
    data: [{ key: "user", value: Buffer.from("app") }],
    binaryData: [{ key: "key", value: Buffer.of(1) }],
    createTime: 5,
    revision: 6,
    expireTime: 7,
    notModified: false,
    storeRevision: 8,
  };

  it("are those of a Get, whose answer may have no content", async () => {
    const get = client.get("a", { keys: ["user", "key"], minRevision: 4 });
    const call = await server.call();
    const request = { path: "a", version: 0, keys: ["user", "key"], ifVersionNot: 0, minRevision: 4 };
    assert.deepEqual(await call.request(messages.getRequest), request);
    call.respond(messages.getResponse, SECRET);
    const { content, ...secret } = await get;
    assert.deepEqual(secret, {
      kind: "secret",
      path: "a",
      version: 3,
      createTime: 5,
      revision: 6,
      expireTime: 7,
      storeRevision: 8,
    });
    assert.deepEqual([content.text("user"), content.bytes("key")], ["app", Buffer.of(1)]);
    const again = client.get("a", { ifVersionNot: 3 });
    const second = await server.call();
    assert.equal((await second.request(messages.getRequest)).ifVersionNot, 3);
    second.respond(messages.getResponse, { ...SECRET, data: [], binaryData: [], notModified: true });
    assert.deepEqual(await again, { kind: "not-modified", path: "a", version: 3, storeRevision: 8 });
  });

  it("are those of a BatchGet, whose entries are secrets and errors", async () => {
    const batch = client.batchGet(["a", "b", "c"]);
    const call = await server.call();
    assert.deepEqual(await call.request(messages.batchGetRequest), { paths: ["a", "b", "c"], minRevision: 0 });
    const error = { code: 5, message: "there is none", reason: "SECRET_NOT_FOUND", metadata: [["path", "b"]] } as const;
    call.respond(messages.batchGetResponse, {
      entries: [
        { path: "a", result: { kind: "secret", value: SECRET } },
        { path: "b", result: { kind: "error", value: error } },
        { path: "c", result: undefined },
      ],
      storeRevision: 8,
    });
    const { entries, storeRevision } = await batch;
    const [a, b, c] = entries;
    assert.equal(storeRevision, 8);
    assert.ok(a?.kind === "secret" && a.content.text("user") === "app");
    assert.ok(b?.kind === "unread" && c?.kind === "unread");
    const { code, reason, message, metadata } = b.error;
    assert.deepEqual(
      [code, reason, message, metadata],
      ["NOT_FOUND", "SECRET_NOT_FOUND", "there is none", { path: "b" }],
    );
    assert.deepEqual([c.path, c.error.code], ["c", "UNKNOWN"]);
  });

  it("are those of a List, whose secrets and prefixes are in the order of paths", async () => {
    const entry = (path: string): messages.ListEntry => ({
      path,
      latestVersion: 1,
      updateTime: 2,
      labels: [["team", "shop"]],
      state: messages.VersionState.live,
    });
    const listing = collect(client.list("s/", { delimiter: "/", labels: { team: "shop" } }));
    const first = await server.call();
    const request = {
      prefix: "s/",
      pageSize: 0,
      pageToken: "",
      delimiter: "/",
      labels: [["team", "shop"]],
      showDeleted: false,
    };
    assert.deepEqual(await first.request(messages.listRequest), request);
    const page = { entries: [entry("s/a"), entry("s/c")], prefixes: ["s/b/"], nextPageToken: "t", storeRevision: 3 };
    first.respond(messages.listResponse, page);
    const second = await server.call();
    assert.deepEqual(await second.request(messages.listRequest), { ...request, pageToken: "t" });
    second.respond(messages.listResponse, { entries: [], prefixes: ["s/d/"], nextPageToken: "", storeRevision: 4 });
    const listed = (path: string): ListingEntry => ({ ...entry(path), kind: "secret", labels: { team: "shop" } });
    const prefix = (text: string): ListingPrefix => ({ kind: "prefix", prefix: text });
    assert.deepEqual(await listing, [listed("s/a"), prefix("s/b/"), listed("s/c"), prefix("s/d/")]);
  });

  // A page of a website is a request of its own, which continues where the previous page ended.
  it("are those of a List that continues after a page", async () => {
    const pages = client.listPages("s/", { pageSize: 2, pageToken: "t" });
    const next = pages.next();
    const call = await server.call();
    const { pageSize, pageToken } = await call.request(messages.listRequest);
    assert.deepEqual([pageSize, pageToken], [2, "t"]);
    const page = { entries: [], prefixes: [], nextPageToken: "u", storeRevision: 3 };
    call.respond(messages.listResponse, page);
    assert.deepEqual((await next).value, page);
    await pages.return();
    assert.equal(server.waiting, 0);
  });

  const CONVERGENCE: messages.Convergence = {
    watchers: 3,
    converged: 1,
    behind: [
      { spiffeId: "spiffe://example.org/a", instance: "", version: 0, state: 0 },
      { spiffeId: "spiffe://example.org/b", instance: "pod-1", version: 6, state: messages.ReportState.inUse },
    ],
  };

  it("are those of a Describe, with settings and what watchers use", async () => {
    const describing = client.describe("a");
    const call = await server.call();
    const settings = { latestVersion: 0, maxVersions: 5, description: "d", casRequired: true, storeRevision: 4 };
    const answer = { path: "a", versions: [], ...settings };
    call.respond(messages.describeResponse, {
      ...answer,
      labels: [["team", "shop"]],
      defaultTtl: 60_000,
      convergence: CONVERGENCE,
    });
    assert.deepEqual(await describing, {
      ...answer,
      labels: { team: "shop" },
      defaultTtlMs: 60_000,
      convergence: CONVERGENCE,
    });
  });
});

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}
