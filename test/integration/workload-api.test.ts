import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { WireType } from "../../src/contract/wire.ts";
import { WireWriter } from "../../src/contract/wire-writer.ts";
import { MaterialError } from "../../src/spiffe/material-error.ts";
import type { IdentitySnapshot } from "../../src/identity/source.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { whenReady } from "../../src/identity/when-ready.ts";
import { FETCH_X509_SVID, x509SvidResponse } from "../../src/workload-api/x509-messages.ts";
import type { Selection } from "../../src/workload-api/selection.ts";
import { response, SpireDomain } from "../support/spire-domain.ts";
import { generation, idOf, stateOf, stateWithProblem, WorkloadApiKit } from "../support/workload-api-kit.ts";
import { WorkloadApiServer } from "../support/workload-api-server.ts";

/** How long the source waits for a complete list of SVIDs after an incomplete one, in milliseconds. */
const SETTLE_MS = 250;

let kit: WorkloadApiKit;
beforeEach(async () => {
  kit = await WorkloadApiKit.start();
});
afterEach(() => kit.close());

/** Field 15 of the message, which is unknown, with a size in MiB. */
function unknownField(mebibytes: number): Buffer {
  const writer = new WireWriter();
  writer.tag(15, WireType.bytes);
  writer.bytes(Buffer.alloc(mebibytes * 1024 * 1024));
  return writer.finish();
}

describe("an identity from the Workload API", () => {
  it("arrives with the first message, by a request with the security header", async () => {
    kit.server.send(response([kit.example.issue("/api")], kit.other.federated));
    const source = kit.open();
    assert.equal(source.state.kind, "waiting");
    assert.throws(() => source.snapshot(), MaterialError);
    const snapshot = await whenReady(source);
    assert.equal(idOf(snapshot), "spiffe://example.org/api");
    assert.deepEqual([...snapshot.bundles.keys()], ["example.org", "other.org"]);
    assert.deepEqual(kit.server.calls, [{ method: FETCH_X509_SVID, header: ["true"] }]);
  });

  // The response contains keys, so the source must not use a proxy. The proxy of this environment does not exist.
  it("arrives by TCP as well, and never through a proxy", async () => {
    const tcp = await WorkloadApiServer.start();
    tcp.send(response([kit.example.issue("/api")]));
    process.env["grpc_proxy"] = "http://127.0.0.1:1";
    const source = kit.open(undefined, tcp.endpoint);
    try {
      await stateOf(source, ({ kind, problems }) => kind === "ready" || /reached|ended/.test(problems[0]!));
      assert.equal(idOf(source.snapshot()), "spiffe://example.org/api");
    } finally {
      delete process.env["grpc_proxy"];
      source.close();
      await tcp.close();
    }
  });

  // gRPC's default limit is 4 MiB. The bundles of many federated trust domains exceed it.
  it("may arrive in a message of almost 16 MiB, and in no larger one", async () => {
    const message = x509SvidResponse.encode(response([kit.example.issue("/api")]));
    kit.server.sendBytes(Buffer.concat([message, unknownField(15)]));
    const source = kit.open();
    await generation(source, 1);
    kit.server.sendBytes(Buffer.concat([message, unknownField(17)]));
    await stateWithProblem(source, /RESOURCE_EXHAUSTED: Received message larger than max/);
  });

  it("may be selected by its hint or its SPIFFE ID", async () => {
    kit.server.send(
      response([kit.example.issue("/a"), kit.example.issue("/b", { hint: "b" }), kit.example.issue("/c")]),
    );
    const select = async (selection: Selection) => idOf(await whenReady(kit.open(selection)));
    assert.equal(await select({ kind: "default" }), "spiffe://example.org/a");
    assert.equal(await select({ kind: "hint", hint: "b" }), "spiffe://example.org/b");
    const c = SpiffeId.parse("spiffe://example.org/c");
    assert.equal(await select({ kind: "id", id: c }), "spiffe://example.org/c");
  });

  // Agents send SVIDs in the order of their cache. Clients know a server only by its SPIFFE ID.
  it("keeps its SPIFFE ID while the agent offers it, in any order", async () => {
    const [a, b] = [kit.example.issue("/a"), kit.example.issue("/b")];
    kit.server.send(response([a, b]));
    const source = kit.open();
    assert.equal(idOf(await generation(source, 1)), "spiffe://example.org/a");
    const renewed = [kit.example.issue("/b"), kit.example.issue("/a")];
    kit.server.send(response(renewed));
    const { svid } = await generation(source, 2);
    assert.equal(`${svid.id}`, "spiffe://example.org/a");
    assert.deepEqual(Buffer.concat(svid.chain), Buffer.from(renewed[1]!.x509Svid));
    // After a time without any identity, the source still selects the SPIFFE ID that was in use.
    kit.timers.advance(2 * 3600_000);
    assert.equal(source.state.kind, "waiting");
    kit.server.send(response([kit.example.issue("/b"), kit.example.issue("/a")]));
    assert.equal(idOf(await generation(source, 3)), "spiffe://example.org/a");
  });

  it("follows each new SVID on one stream, with a new snapshot for each", async () => {
    const seen: IdentitySnapshot[] = [];
    const first = kit.example.issue("/api");
    kit.server.send(response([first]));
    const source = kit.open();
    source.onChange((snapshot) => seen.push(snapshot));
    await generation(source, 1);
    kit.server.send(response([kit.example.issue("/api")]));
    await generation(source, 2);
    assert.notEqual(seen[0]!.svid.certPem, seen[1]!.svid.certPem);
    assert.equal(seen.length, 2);
    assert.equal(kit.server.calls.length, 1);
  });

  it("has no new snapshot when the same message arrives again", async () => {
    const same = response([kit.example.issue("/api")], kit.other.federated);
    kit.server.send(same);
    const source = kit.open();
    const before = await generation(source, 1);
    kit.server.send(same);
    kit.server.send(response([]));
    await stateWithProblem(source, /svids is empty/);
    assert.equal(source.snapshot(), before);
    kit.server.send(same);
    await stateOf(source, ({ problems }) => problems.length === 0);
    assert.equal(source.snapshot(), before);
    kit.server.send(response([kit.example.issue("/api")], kit.other.federated));
    await generation(source, 2);
  });

  it("follows a CA from prepared to retired", async () => {
    const authorities = (snapshot: IdentitySnapshot) => snapshot.bundles.get("example.org")!.authorities.length;
    const old = kit.example.issue("/api");
    kit.server.send(response([old]));
    const source = kit.open();
    assert.equal(authorities(await generation(source, 1)), 1);
    kit.example.prepare();
    kit.server.send(response([{ ...old, bundle: kit.example.bundle }]));
    assert.equal(authorities(await generation(source, 2)), 2);
    kit.example.activate();
    const renewed = kit.example.issue("/api");
    kit.server.send(response([renewed]));
    assert.equal(authorities(await generation(source, 3)), 2);
    kit.example.retire();
    kit.server.send(response([{ ...renewed, bundle: kit.example.bundle }]));
    assert.equal(authorities(await generation(source, 4)), 1);
    // The bundle no longer contains the old CA.
    kit.server.send(response([{ ...old, bundle: kit.example.bundle }]));
    await stateWithProblem(source, /svids\[0\], verified with its own bundle: no CA in the bundle/);
  });

  // Redaction: the source no longer trusts a bundle that the message does not contain.
  it("loses a federated bundle with the first message that lacks it", async () => {
    const svid = kit.example.issue("/api");
    kit.server.send(response([svid], kit.other.federated));
    const source = kit.open();
    assert.ok((await generation(source, 1)).bundles.has("other.org"));
    kit.server.send(response([svid]));
    assert.ok(!(await generation(source, 2)).bundles.has("other.org"));
    kit.server.send(response([svid], kit.other.federated));
    assert.ok((await generation(source, 3)).bundles.has("other.org"));
  });

  it("stays when a message is unusable, which is reported and changes nothing", async () => {
    const good = kit.example.issue("/api");
    kit.server.send(response([good], kit.other.federated));
    const source = kit.open();
    const before = await generation(source, 1);
    const unusable = [
      response([{ ...kit.example.issue("/api"), x509SvidKey: good.x509SvidKey }]),
      response([kit.example.issue("/api", { ttl: -1000 })]),
    ];
    for (const [index, message] of unusable.entries()) {
      kit.server.send(message);
      const problem = [/is not the key of/, /the leaf expired/][index]!;
      const { problems } = await stateWithProblem(source, problem);
      assert.match(problems[0]!, /^a message of the Workload API at unix:\/\/\/.*agent\.sock is discarded: /);
      assert.equal(source.snapshot(), before);
    }
    kit.server.sendBytes(Buffer.from([0x0a, 0x7f]));
    await stateWithProblem(source, /the bytes are not an X509SVIDResponse/);
    assert.equal(source.snapshot(), before);
    kit.server.send(response([kit.example.issue("/api")], kit.other.federated));
    await generation(source, 2);
    assert.deepEqual(source.state.problems, []);
    assert.equal(kit.server.calls.length, 1);
  });

  // The administrator of a federated trust domain decides what its bundle contains. That must not prevent the renewal
  // of the workload's own SVID.
  it("is renewed despite an unusable federated bundle, and the last valid bundle stays while the SVID is valid", async () => {
    const authorities = (snapshot: IdentitySnapshot) => snapshot.bundles.get("other.org")?.authorities.length;
    const bad = { key: "spiffe://other.org", value: Buffer.concat([kit.other.bundle, kit.example.bundle]) };
    kit.server.send(response([kit.example.issue("/api", { ttl: 60_000 })], kit.other.federated));
    const source = kit.open();
    assert.equal(authorities(await generation(source, 1)), 1);
    const renewed = kit.example.issue("/api");
    kit.server.send(response([renewed], bad));
    const second = await generation(source, 2);
    assert.deepEqual(Buffer.concat(second.svid.chain), Buffer.from(renewed.x509Svid));
    assert.equal(authorities(second), 1);
    assert.match(source.state.problems.join(), /example\.org, .*; the last good bundle of other\.org stays in use$/);
    kit.timers.advance(60_001);
    assert.equal(authorities(await generation(source, 3)), 0);
    assert.match(source.state.problems.join(), /; no workload of other\.org is trusted$/);
    kit.server.send(response([renewed], kit.other.federated));
    assert.equal(authorities(await generation(source, 4)), 1);
    assert.deepEqual(source.state.problems, []);
  });

  it("is adopted from a message with an unusable federated bundle, which is not trusted", async () => {
    kit.server.send(response([kit.example.issue("/api")], { key: "other.org", value: Buffer.from("garbage") }));
    const source = kit.open();
    const { bundles } = await generation(source, 1);
    assert.deepEqual(bundles.get("other.org")?.authorities, []);
    assert.match(
      source.state.problems.join(),
      /^federated_bundles\[other\.org\] .*; no workload of other\.org is trusted$/,
    );
  });

  // An agent sends each SVID only once, even one that is not valid yet because the agent's clock is ahead. It sends the
  // next one after half of the SVID's lifetime.
  it("is used as soon as it is valid", async () => {
    const ahead = new SpireDomain("example.org", () => kit.timers.clock() + 30_000);
    kit.server.send(response([ahead.issue("/api")]));
    const source = kit.open();
    assert.equal((await stateWithProblem(source, /the leaf is valid from/)).kind, "waiting");
    kit.timers.advance(21_000);
    assert.equal(idOf(await generation(source, 1)), "spiffe://example.org/api");
    assert.deepEqual(source.state.problems, []);
  });

  it("is adopted when a usable message follows unusable ones", async () => {
    const good = kit.example.issue("/api");
    kit.server.send(response([{ ...good, bundle: Buffer.alloc(0) }]));
    const source = kit.open();
    assert.equal((await stateWithProblem(source, /svids\[0\]\.bundle is empty/)).kind, "waiting");
    kit.server.send(response([good]));
    await generation(source, 1);
  });
});

describe("an incomplete list of SVIDs", () => {
  // When a CA is tainted, SPIRE's agent first sends one of two SVIDs, and 2 ms later both.
  it("is ignored when the complete list follows", async () => {
    kit.server.send(response([kit.example.issue("/a"), kit.example.issue("/b")]));
    const source = kit.open();
    const seen: string[] = [];
    source.onChange((snapshot) => seen.push(idOf(snapshot)));
    await generation(source, 1);
    const b = kit.example.issue("/b");
    kit.server.send(response([b]));
    kit.server.send(response([kit.example.issue("/a"), b]));
    await generation(source, 2);
    kit.timers.advance(2 * SETTLE_MS);
    assert.deepEqual(seen, ["spiffe://example.org/a", "spiffe://example.org/a"]);
  });

  it("is adopted when no other list follows for a while", async () => {
    kit.server.send(response([kit.example.issue("/a"), kit.example.issue("/b")]));
    const source = kit.open();
    await generation(source, 1);
    kit.server.send(response([kit.example.issue("/b")]));
    await settling();
    kit.timers.advance(SETTLE_MS - 1);
    assert.equal(source.snapshot().generation, 1);
    kit.timers.advance(1);
    assert.equal(idOf(await generation(source, 2)), "spiffe://example.org/b");
    // From now on, the shorter list counts as complete.
    kit.server.send(response([kit.example.issue("/b")]));
    await generation(source, 3);
  });

  it("is not adopted immediately even if it contains the SVID in use", async () => {
    kit.server.send(response([kit.example.issue("/a"), kit.example.issue("/b")]));
    const source = kit.open();
    await generation(source, 1);
    kit.server.send(response([kit.example.issue("/a")]));
    await settling();
    assert.equal(source.snapshot().generation, 1);
    kit.timers.advance(SETTLE_MS);
    assert.equal(idOf(await generation(source, 2)), "spiffe://example.org/a");
  });

  it("can also have the same length as the last list, if the SVID in use is missing", async () => {
    kit.server.send(response([kit.example.issue("/a")]));
    const source = kit.open();
    await generation(source, 1);
    kit.server.send(response([kit.example.issue("/b")]));
    await settling();
    assert.equal(idOf(source.snapshot()), "spiffe://example.org/a");
    kit.timers.advance(SETTLE_MS);
    assert.equal(idOf(source.snapshot()), "spiffe://example.org/b");
  });

  it("does not replace the identity if it lacks the requested one, and reports that", async () => {
    kit.server.send(response([kit.example.issue("/a", { hint: "a" }), kit.example.issue("/b")]));
    const source = kit.open({ kind: "hint", hint: "a" });
    await generation(source, 1);
    kit.server.send(response([kit.example.issue("/b")]));
    await settling();
    kit.timers.advance(SETTLE_MS);
    await stateWithProblem(source, /no X.509-SVID has the hint "a"; offered are spiffe:\/\/example\.org\/b/);
    assert.equal(idOf(source.snapshot()), "spiffe://example.org/a");
  });

  it("is discarded when the stream ends, because the next stream starts with the complete list", async () => {
    const both = response([kit.example.issue("/a"), kit.example.issue("/b")]);
    kit.server.send(both);
    const source = kit.open();
    await generation(source, 1);
    kit.server.send(response([kit.example.issue("/b")]));
    await settling();
    kit.server.fail(status.UNAVAILABLE, "restarting");
    await stateWithProblem(source, /UNAVAILABLE: restarting/);
    kit.timers.advance(SETTLE_MS);
    assert.equal(source.snapshot().generation, 1);
    assert.match(source.state.problems[0]!, /restarting/);
  });

  /** Resolves when the source delays a list. The only other timer is that of the expiry check. */
  async function settling(): Promise<void> {
    while (!kit.timers.pauses.includes(SETTLE_MS)) await new Promise(setImmediate);
  }
});
