import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CofferClient } from "../../src/client/coffer-client.ts";
import type { SecretEvent } from "../../src/client/secret-events.ts";
import type { SecretWatch } from "../../src/client/secret-watch.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { ADMIN, ServerKit, WEB } from "../support/server-kit.ts";
import { until } from "../support/until.ts";

const SERVER_ID = "spiffe://example.org/coffer";

const policyFor = (...paths: readonly string[]) => `
rules:
  - name: web
    spiffe_ids: [${WEB}]
    paths: [${paths.join(", ")}]
    actions: [read, watch]
`;

describe("a watch of the client", () => {
  let kit: ServerKit;
  let folder: string;
  let admin: CofferClient;
  let web: CofferClient;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "coffer-client-watch-"));
    // A unix socket has the same address after a restart.
    kit = await ServerKit.start({ listen: [{ kind: "unix", path: join(folder, "socket"), mode: 0o600 }] });
    await adopt(policyFor("shop/**"));
    admin = open(ADMIN, "admin");
    web = open(WEB, "web");
  });
  after(async () => {
    await Promise.all([admin.close(), web.close()]);
    await kit.stop();
    rmSync(folder, { recursive: true });
  });

  function open(id: string, name: string): CofferClient {
    const identity = { ...kit.writeCredential(kit.issue({ id }), name), bundle: join(kit.folder, "bundle.pem") };
    const address = `unix:${join(folder, "socket")}`;
    return new CofferClient({ address, serverId: SERVER_ID, identity, timeoutMs: PATIENCE_MS });
  }

  async function adopt(text: string): Promise<void> {
    const loads = () => kit.log.filter(({ event }) => event === "policy loaded").length;
    const earlier = loads();
    writeFileSync(kit.config.policy!, text);
    kit.server.reload();
    await until("the policy is loaded", () => loads() > earlier);
    await kit.settled();
  }

  it("delivers the newest state, then each change", async () => {
    await admin.put("shop/first", { k: "1" });
    const watch = web.watch({ prefixes: ["shop/"] });
    assert.deepEqual(await take(watch, 2), ["shop/first v1 live k=1", "synced 1/1"]);
    await admin.put("shop/first", { k: "2" });
    await admin.delete("shop/first");
    assert.deepEqual(await shownUntil(watch, "shop/first v2 deleted"), "shop/first v2 deleted");
    await admin.purge("shop/first");
    assert.deepEqual(await shownUntil(watch, "gone"), "gone shop/first purged");
    assert.deepEqual(await watch.return(), { done: true, value: undefined });
    assert.deepEqual(await watch.next(), { done: true, value: undefined });
  });

  it("continues after a restart, and repeats nothing", async () => {
    await admin.put("shop/restart", { k: "1" });
    const watch = web.watch({ paths: ["shop/restart"] });
    assert.deepEqual(await take(watch, 2), ["shop/restart v1 live k=1", "synced 1/1"]);
    await kit.restart();
    await admin.put("shop/restart", { k: "2" });
    const seen: string[] = [];
    for await (const event of watch) {
      if (event.kind !== "heartbeat" && event.kind !== "disconnected") seen.push(shown(event));
      if (event.kind === "secret") break;
    }
    assert.deepEqual(
      seen.filter((text) => !text.startsWith("synced")),
      ["shop/restart v2 live k=2"],
    );
  });
});

async function take(watch: SecretWatch, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) {
    const { value } = await watch.next();
    texts.push(shown(value!));
  }
  return texts;
}

async function shownUntil(watch: SecretWatch, beginning: string): Promise<string> {
  for (;;) {
    const text = shown((await watch.next()).value!);
    if (text.startsWith(beginning)) return text;
  }
}

function shown(event: SecretEvent): string {
  switch (event.kind) {
    case "secret": {
      const values = event.content?.keys().map((key) => `${key}=${event.content?.text(key)}`) ?? [];
      return [event.path, `v${event.version}`, event.state, ...values].join(" ");
    }
    case "gone":
      return `gone ${event.path} ${event.reason}`;
    case "synced":
      return `synced ${event.readable}/${event.requested}`;
    case "heartbeat":
      return "heartbeat";
    case "disconnected":
      return `disconnected ${event.error.message}`;
  }
}
