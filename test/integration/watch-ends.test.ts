import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as wire from "../../src/contract/messages.ts";
import { systemClock } from "../../src/domain/timers.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { beginCall } from "../../bench/access.ts";
import { grpcMessage } from "../../bench/request.ts";
import { sessionOf } from "../support/bare-call.ts";
import { beginExpiringWatch } from "../support/expiring-watch.ts";
import { nextEvent } from "../support/next-event.ts";
import { ADMIN, ServerKit, WEB } from "../support/server-kit.ts";
import { until } from "../support/until.ts";
import { Watching } from "../support/watching.ts";

const EVERYTHING = `
rules:
  - name: everything
    spiffe_ids: [spiffe://example.org/**, spiffe://other.org/**]
    paths: ["**"]
    actions: [read, write, watch]
`;

async function started(config: Parameters<typeof ServerKit.start>[0] = {}): Promise<ServerKit> {
  const kit = await ServerKit.start(config);
  writeFileSync(kit.config.policy!, EVERYTHING);
  await kit.restart();
  return kit;
}

describe("a Watch ends", () => {
  // Without a reason, a workload could not know that it needs a newer SVID.
  it("with SVID_EXPIRED when the SVID of its connection expires", async () => {
    const kit = await started();
    const { caller, watching } = await beginExpiringWatch(kit, { prefixes: [""] });
    assert.deepEqual(await watching.ended(), { code: "UNAUTHENTICATED", reason: "SVID_EXPIRED" });
    caller.close();
    await kit.stop();
  });

  it("with ACCESS_DENIED when the bundle of its trust domain no longer verifies its SVID; others continue", async () => {
    const cas = [1, 2].map(() => createDevelopmentCa(TrustDomain.parse("other.org"), systemClock));
    const kit = await started();
    const bundle = join(kit.folder, "other.pem");
    writeFileSync(bundle, cas[0]!.bundlePem);
    const files = { ...kit.files, bundles: new Map([...kit.files.bundles, ["other.org", bundle]]) };
    Object.assign(kit.config, { identity: { kind: "files", files, because: "the test sets it" } });
    await kit.restart();
    const [other, own] = [kit.callerWith(cas[0]!.issue({ id: "spiffe://other.org/workload" })), kit.caller(WEB)];
    const [ending, kept] = [new Watching(other, { prefixes: [""] }), new Watching(own, { prefixes: [""] })];
    await Promise.all([ending.synced(), kept.synced()]);
    writeFileSync(bundle, cas[1]!.bundlePem);
    kit.server.reload();
    assert.deepEqual(await ending.ended(), { code: "PERMISSION_DENIED", reason: "ACCESS_DENIED" });
    assert.equal((await own.put({ path: "a", data: { k: "1" } })).code, "OK");
    await kept.first((text) => text === "a v1 live");
    for (const caller of [other, own]) caller.close();
    await kit.stop();
  });

  // A watch of 128 prefixes takes 25 kB of memory, on the threads of its front and of the store.
  it("with BUDGET_EXCEEDED if the paths and prefixes of its SPIFFE ID take too many bytes; the bytes are free when it ends", async () => {
    const kit = await started({ budgets: { bytes: 1 << 20, unread: 1024, calls: 8192 } });
    const web = kit.caller(WEB);
    const prefixes = Array.from({ length: 128 }, (_, i) => `p${i}/`);
    const fill = async () => {
      const open: Watching[] = [];
      for (;;) {
        const watching = new Watching(web, { prefixes });
        const begun = watching.synced().then(
          () => true,
          () => false,
        );
        if (await begun) open.push(watching);
        else {
          assert.deepEqual(await watching.ended(), { code: "RESOURCE_EXHAUSTED", reason: "BUDGET_EXCEEDED" });
          return open;
        }
        assert.ok(open.length <= 40);
      }
    };
    const open = await fill();
    assert.ok(open.length >= 10, `${open.length}`);
    for (const watching of open) watching.cancel();
    await until("a watch can begin again", async () => {
      const watching = new Watching(web, { prefixes });
      return watching.synced().then(
        () => true,
        () => false,
      );
    });
    web.close();
    await kit.stop();
  });

  it("with BUDGET_EXCEEDED if its SPIFFE ID has too many calls; those of other SPIFFE IDs can begin", async () => {
    const kit = await started({ budgets: { bytes: 1 << 26, unread: 1024, calls: 40 } });
    const [web, admin] = [kit.caller(WEB), kit.caller(ADMIN)];
    const open: Watching[] = [];
    for (let isFull = false; !isFull; ) {
      const watching = new Watching(web, { paths: ["a"] });
      const begun = watching.synced().then(
        () => false,
        () => true,
      );
      isFull = await begun;
      if (isFull) assert.deepEqual(await watching.ended(), { code: "RESOURCE_EXHAUSTED", reason: "BUDGET_EXCEEDED" });
      else open.push(watching);
      assert.ok(open.length <= 40);
    }
    assert.ok(open.length >= 16);
    await new Watching(admin, { paths: ["a"] }).synced();
    // The watch of the other SPIFFE ID leaves less for this one.
    for (const watching of open.slice(0, 4)) watching.cancel();
    const begins = () =>
      new Watching(web, { paths: ["a"] }).synced().then(
        () => true,
        () => false,
      );
    await until("another Watch begins", begins);
    for (const caller of [web, admin]) caller.close();
    await kit.stop();
  });
});

describe("a watcher that does not read", () => {
  // Its window of HTTP/2 is full, and the server has to wait for it without remembering what it would have sent.
  it("gets the newest state of each secret once when it reads again, and delays no other caller", async () => {
    const kit = await started();
    const admin = kit.caller(ADMIN);
    const names = Array.from({ length: 40 }, (_, i) => `stalled/${String(i).padStart(2, "0")}`);
    const value = "x".repeat(8000);
    const session = await sessionOf(kit, WEB, { settings: { initialWindowSize: 1000 } });
    const stream = beginCall(session, "/coffer.v1.Secrets/Watch");
    const request = wire.watchRequest.of({ prefixes: ["stalled/"], withValues: true });
    stream.end(grpcMessage(wire.watchRequest.encode(request)));
    await nextEvent(stream, "response");
    const last = new Map<string, number>();
    for (let version = 1; version <= 5; version++) {
      const puts = names.map(async (path) => {
        const { response } = await admin.put({ path, data: { k: `${version}${value}` } });
        last.set(path, response.revision);
      });
      await Promise.all(puts);
    }
    const seen: wire.WatchResponse[] = [];
    let rest = Buffer.alloc(0);
    const isComplete = () => names.every((path) => seen.some((event) => isLast(event, path)));
    const isLast = ({ event, revision }: wire.WatchResponse, path: string) =>
      event?.kind === "secret" && event.value.path === path && revision === last.get(path);
    for await (const chunk of stream) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const end = 5 + rest.readUInt32BE(1);
        seen.push(wire.watchResponse.decode(rest.subarray(5, end)));
        rest = rest.subarray(end);
      }
      if (isComplete()) break;
    }
    // What was in the stream before it stopped is at most 16 KiB and one event: three events.
    const secrets = seen.filter(({ event }) => event?.kind === "secret");
    assert.ok(secrets.length <= names.length + 4, `${secrets.length} events`);
    session.destroy();
    admin.close();
    await kit.stop();
  });
});
