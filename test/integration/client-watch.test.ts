import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { CofferClient } from "../../src/client/coffer-client.ts";
import { SecretCache } from "../../src/client/secret-cache.ts";
import type { SecretEvent, SecretSeen } from "../../src/client/secret-events.ts";
import type { SecretWatch } from "../../src/client/secret-watch.ts";
import { failureOf } from "../support/client-failure.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { shownEvent, take } from "../support/scripted-watches.ts";
import { ADMIN, ServerKit, WEB } from "../support/server-kit.ts";
import { Site } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const SERVER_ID = "spiffe://example.org/coffer";

const policyFor = (...paths: readonly string[]) => `
rules:
  - name: web
    spiffe_ids: [${WEB}]
    paths: [${paths.join(", ")}]
    actions: [read, watch]
`;

/** What a consumer knows. It checks that no state comes twice, or after a newer one. */
class Consumer {
  readonly known = new Map<string, SecretSeen>();
  /** The kinds of all events but `secret` and `gone`. */
  readonly others: string[] = [];
  readonly #watch: SecretWatch;
  readonly #ended: Promise<void>;

  constructor(watch: SecretWatch) {
    this.#watch = watch;
    this.#ended = this.#consume();
  }

  /** How many snapshots have been complete. */
  get syncs(): number {
    return this.others.filter((kind) => kind === "synced").length;
  }

  /** Resolves when it knows this version. */
  async knows(path: string, version: number): Promise<void> {
    await until(`version ${version} of ${path} arrives`, () => this.known.get(path)?.version === version);
  }

  /** Ends the watch. Rejects if an event was wrong. */
  async stop(): Promise<void> {
    await this.#watch.return();
    await this.#ended;
  }

  async #consume(): Promise<void> {
    for await (const event of this.#watch) this.#take(event);
  }

  #take(event: SecretEvent): void {
    if (event.kind === "gone") assert.ok(this.known.delete(event.path));
    else if (event.kind !== "secret") this.others.push(event.kind);
    else {
      const { path, version, revision, content } = event;
      const before = this.known.get(path)?.revision ?? 0;
      assert.ok(revision > before, `${path}: ${revision} after ${before}`);
      assert.equal(content?.text("k"), `${path}@${version}`);
      this.known.set(path, event);
    }
  }
}

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

  /** Puts a version whose content is `k=PATH@VERSION`. */
  async function put(path: string, version: number, filler = 0): Promise<void> {
    await admin.put(
      path,
      { k: `${path}@${version}`, filler: new Uint8Array(filler) },
      { expectedVersion: version - 1 },
    );
  }

  async function firstThat(watch: SecretWatch, beginning: string): Promise<string> {
    for (;;) {
      const [text] = await take(watch, 1);
      if (text?.startsWith(beginning)) return text;
    }
  }

  it("delivers the newest state, then each change, and what is withdrawn", async () => {
    await put("shop/first", 1);
    const watch = web.watch({ prefixes: ["shop/first"], withValues: false });
    assert.deepEqual(await take(watch, 2), ["shop/first v1 live", "synced 1/1"]);
    await put("shop/first", 2);
    assert.equal(await firstThat(watch, "shop/first"), "shop/first v2 live");
    await admin.delete("shop/first");
    assert.equal(await firstThat(watch, "shop/first"), "shop/first v2 deleted");
    await admin.undelete("shop/first");
    assert.equal(await firstThat(watch, "shop/first"), "shop/first v2 live");
    await adopt(policyFor("shop/other/*"));
    assert.equal(await firstThat(watch, "gone"), "gone shop/first revoked");
    await adopt(policyFor("shop/**"));
    assert.equal(await firstThat(watch, "shop/first"), "shop/first v2 live");
    await admin.purge("shop/first");
    assert.equal(await firstThat(watch, "gone"), "gone shop/first purged");
    assert.deepEqual(await watch.return(), { done: true, value: undefined });
    assert.deepEqual(await watch.next(), { done: true, value: undefined });
  });

  // Both begin a new stream. Puts go on until each watch has synced on it: a watch that still waits for its next attempt
  // when the server restarts again would sync once for two restarts.
  it("survives restarts of the server under load, and rotations of the SVID", async () => {
    const paths = Array.from({ length: 10 }, (_, i) => `shop/load/${i}`);
    const consumers = [1, 2, 3].map(() => new Consumer(web.watch({ prefixes: ["shop/load/"] })));
    const rotate = async () => void kit.writeCredential(kit.issue({ id: WEB }), "web");
    const restart = () => kit.restart();
    let [version, syncs] = [0, 0];
    const putAll = async () => {
      version += 1;
      await Promise.all(paths.map((path) => put(path, version)));
    };
    for (const disturb of [async () => {}, rotate, restart, rotate, restart, rotate, restart]) {
      syncs += 1;
      const disturbed = disturb();
      for (let i = 0; i < 5; i++) await putAll();
      await disturbed;
      while (consumers.some((consumer) => consumer.syncs < syncs)) await putAll();
    }
    for (const consumer of consumers) {
      for (const path of paths) await consumer.knows(path, version);
      await consumer.stop();
      assert.equal(consumer.known.size, paths.length);
    }
  });

  // The window of HTTP/2 of the stream is full. Other calls on the same connection must not wait for it: a consumer that
  // calls Get for each event would wait forever.
  it("with a consumer that does not read delays no other call on its connection", async () => {
    const paths = Array.from({ length: 40 }, (_, i) => `shop/large/${String(i).padStart(2, "0")}`);
    for (const path of paths) await put(path, 1, 500_000);
    const watch = web.watch({ prefixes: ["shop/large/"] });
    await watch.next();
    for (const path of paths) {
      const { content } = await web.get(path);
      assert.equal(content.text("k"), `${path}@1`);
      content.dispose();
    }
    await put("shop/large/00", 2);
    const consumer = new Consumer(watch);
    for (const path of paths.slice(1)) await consumer.knows(path, 1);
    await consumer.knows("shop/large/00", 2);
    await consumer.stop();
  });

  it("ends with an error if an option is refused by the server, or the identity is that of the server", async () => {
    const many = web.watch({ paths: Array.from({ length: 129 }, (_, i) => `shop/${i}`) });
    assert.equal((await failureOf(many.next())).reason, "LIMIT_EXCEEDED");
    const wrong = web.watch({ paths: ["/shop"] });
    assert.equal((await failureOf(wrong.next())).reason, "INVALID_FIELD");
    const itself = open(SERVER_ID, "itself");
    assert.equal((await failureOf(itself.watch({ paths: ["a"] }).next())).failure?.kind, "own-id");
    await itself.close();
  });

  it("ends with its client, which waits for it, and leaves no unhandled rejection", async () => {
    const unhandled: unknown[] = [];
    const listen = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", listen);
    const own = open(WEB, "own");
    // Not the secrets of the next tests, which count watchers: the server notices later that these watches have ended.
    const options = { prefixes: ["shop/large/"], withValues: false };
    const [read, unread] = [own.watch(options), own.watch(options)];
    await firstThat(read, "synced");
    void unread.report("shop/large/00", 2, "received");
    await own.close();
    const error = await failureOf(drained(read));
    assert.deepEqual([error.code, error.message], ["CANCELLED", "the client is closed"]);
    await new Promise(setImmediate);
    process.off("unhandledRejection", listen);
    assert.deepEqual(unhandled, []);
  });

  it("reports versions, which Describe counts, and reports them again after a restart", async () => {
    await put("shop/converging", 1);
    const watch = web.watch({ paths: ["shop/converging"], instance: "pod-1" });
    await firstThat(watch, "synced");
    const counted = async () => {
      const { convergence } = await admin.describe("shop/converging");
      return convergence && [convergence.watchers, convergence.converged];
    };
    assert.deepEqual(await counted(), [1, 0]);
    await watch.report("shop/converging", 1, "in-use");
    assert.deepEqual(await counted(), [1, 1]);
    await kit.restart();
    await firstThat(watch, "synced");
    await until("the report was sent again", async () => String(await counted()) === "1,1");
    await put("shop/converging", 2);
    const error = await failureOf(admin.destroy("shop/converging", { versions: [1], requireConverged: true }));
    assert.equal(error.reason, "NOT_CONVERGED");
    await watch.report("shop/converging", 2, "in-use");
    await admin.destroy("shop/converging", { versions: [1], requireConverged: true });
    assert.equal((await failureOf(watch.report("shop/other", 1, "received"))).reason, "INVALID_FIELD");
    await watch.return();
  });

  it("fills a cache, whose versions Describe counts as received, and as used when the program says so", async () => {
    await put("shop/cached", 1);
    const cache = new SecretCache(web, { paths: ["shop/cached"], instance: "pod-2" });
    const changes = cache.changes();
    await cache.ready;
    assert.equal(cache.get("shop/cached").content.text("k"), "shop/cached@1");
    const counted = async () => {
      const { convergence } = await admin.describe("shop/cached");
      return convergence?.converged;
    };
    await until("version 1 was received", async () => (await counted()) === 1);
    cache.get("shop/cached").inUse();
    await put("shop/cached", 2);
    await until("version 2 is in the cache", () => cache.get("shop/cached").version === 2);
    const { convergence } = await admin.describe("shop/cached");
    assert.deepEqual(
      convergence?.behind.map(({ version, instance }) => [version, instance]),
      [[1, "pod-2"]],
    );
    await kit.restart();
    cache.get("shop/cached").inUse();
    await until("version 2 is in use, also after the restart", async () => (await counted()) === 1);
    await admin.destroy("shop/cached");
    await until("the cache has no version", () => cache.paths().length === 0);
    assert.throws(() => cache.get("shop/cached"), { reason: "VERSION_DESTROYED" });
    await cache.close();
    const texts: string[] = [];
    for await (const change of changes) texts.push(change.kind);
    assert.deepEqual(texts.at(-1), "removed");
  });
});

describe("a watch whose server is killed", () => {
  it("knows the newest states, gets none of them twice, and has no gap in its order", async () => {
    const site = new Site();
    const address = `unix:${join(site.folder, "socket")}`;
    const flags = ["--listen", address];
    let server = await site.start({ flags });
    const admin = site.client(ADMIN, { address, timeoutMs: PATIENCE_MS });
    const consumer = new Consumer(admin.watch({ prefixes: [""] }));
    const paths = Array.from({ length: 10 }, (_, i) => `killed/${i}`);
    let version = 0;
    const write = async () => {
      version += 1;
      await Promise.all(paths.map((path) => admin.put(path, { k: `${path}@${version}` })));
    };
    for (let kill = 0; kill < 4; kill++) {
      for (let i = 0; i < 10; i++) await write();
      // During the kill, puts are in flight.
      await Promise.all([
        write(),
        (async () => {
          await server.kill();
          server = await site.start({ flags });
        })(),
      ]);
    }
    for (const path of paths) await consumer.knows(path, version);
    assert.ok(consumer.others.includes("disconnected"));
    await consumer.stop();
    await admin.close();
    await site.remove();
  });
});

/** Reads to the end. */
async function drained(watch: SecretWatch): Promise<void> {
  for await (const event of watch) void shownEvent(event);
}
