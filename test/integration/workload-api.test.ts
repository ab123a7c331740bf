import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { WireType, WireWriter } from "../../src/contract/wire.ts";
import { MaterialError } from "../../src/identity/material-error.ts";
import type { IdentitySnapshot, IdentityState } from "../../src/identity/source.ts";
import { SpiffeId } from "../../src/identity/spiffe-id.ts";
import { whenReady } from "../../src/identity/when-ready.ts";
import { parseEndpoint } from "../../src/workload-api/endpoint.ts";
import { FETCH_X509_SVID, x509SvidResponse } from "../../src/workload-api/messages.ts";
import type { Selection } from "../../src/workload-api/selection.ts";
import { WorkloadApiSource } from "../../src/workload-api/workload-api-source.ts";
import { ManualTimers } from "../support/manual-timers.ts";
import { response, SpireDomain } from "../support/spire-domain.ts";
import { WorkloadApiServer } from "../support/workload-api-server.ts";

// The sockets, HTTP/2 and certificates are real; only the clock is the test's. Nothing sleeps: each step waits for what
// the source tells, and what must not happen is looked for behind a later message that is sure to arrive.

const NOW = Date.parse("2026-03-01T12:00:00Z");
const HOUR = 3600_000;
const SETTLE_MS = 250;

let folder: string;
let timers: ManualTimers;
let server: WorkloadApiServer;
let example: SpireDomain;
let other: SpireDomain;
let sources: WorkloadApiSource[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-workload-api-"));
  timers = new ManualTimers(NOW);
  server = await WorkloadApiServer.start(join(folder, "agent.sock"));
  example = new SpireDomain("example.org", timers.clock);
  other = new SpireDomain("other.org", timers.clock);
  sources = [];
});

afterEach(async () => {
  for (const source of sources) source.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

function open(selection: Selection = { kind: "default" }, endpoint = server.endpoint): WorkloadApiSource {
  const options = { endpoint: parseEndpoint(endpoint), selection, purpose: "server", timers, random: () => 0 } as const;
  const source = WorkloadApiSource.open(options);
  sources.push(source);
  return source;
}

/** The source's state, as soon as it is one like that. */
function stateOf(source: WorkloadApiSource, isWanted: (state: IdentityState) => boolean): Promise<IdentityState> {
  return new Promise((resolve) => {
    const look = (state: IdentityState) => {
      if (!isWanted(state)) return;
      stop();
      resolve(state);
    };
    const stop = source.onState(look);
    look(source.state);
  });
}

const troubled = (source: WorkloadApiSource, problem: RegExp) =>
  stateOf(source, ({ problems }) => problem.test(problems.join("\n")));

async function generation(source: WorkloadApiSource, wanted: number): Promise<IdentitySnapshot> {
  await stateOf(source, (state) => state.kind === "ready" && state.snapshot.generation >= wanted);
  assert.equal(source.snapshot().generation, wanted);
  return source.snapshot();
}

/** Lets what is due next, the one thing there is, come due. Its pause in milliseconds. */
function comeDue(): number {
  const [pause] = timers.pauses;
  timers.advance(pause!);
  return pause!;
}

/** Field 15 of the message, which nobody knows, in so many MiB. */
function unknownField(mebibytes: number): Buffer {
  const writer = new WireWriter();
  writer.tag(15, WireType.bytes);
  writer.bytes(Buffer.alloc(mebibytes * 1024 * 1024));
  return writer.finish();
}

const id = (snapshot: IdentitySnapshot) => `${snapshot.svid.id}`;

describe("an identity from the Workload API", () => {
  it("arrives with the first message, by a request with the security header", async () => {
    server.send(response([example.issue("/api")], other.federated));
    const source = open();
    assert.equal(source.state.kind, "waiting");
    assert.throws(() => source.snapshot(), MaterialError);
    const snapshot = await whenReady(source);
    assert.equal(id(snapshot), "spiffe://example.org/api");
    assert.deepEqual([...snapshot.bundles.keys()], ["example.org", "other.org"]);
    assert.deepEqual(server.calls, [{ method: FETCH_X509_SVID, header: ["true"] }]);
  });

  // Keys come with it: a proxy of the environment, which answers nothing here, must not see them.
  it("arrives by TCP as well, past any proxy", async () => {
    const tcp = await WorkloadApiServer.start();
    process.env["grpc_proxy"] = "http://127.0.0.1:1";
    try {
      tcp.send(response([example.issue("/api")]));
      const source = open(undefined, tcp.endpoint);
      await stateOf(source, ({ kind, problems }) => kind === "ready" || /reached|ended/.test(problems[0]!));
      assert.equal(id(source.snapshot()), "spiffe://example.org/api");
    } finally {
      delete process.env["grpc_proxy"];
      sources.pop()?.close();
      await tcp.close();
    }
  });

  // gRPC's own limit is 4 MiB, which the bundles of many federations exceed.
  it("may come in a message of almost 16 MiB, and in no larger one", async () => {
    const message = x509SvidResponse.encode(response([example.issue("/api")]));
    server.sendBytes(Buffer.concat([message, unknownField(15)]));
    const source = open();
    await generation(source, 1);
    server.sendBytes(Buffer.concat([message, unknownField(17)]));
    await troubled(source, /RESOURCE_EXHAUSTED: Received message larger than max/);
  });

  it("may be selected by its hint or its SPIFFE ID", async () => {
    server.send(response([example.issue("/a"), example.issue("/b", { hint: "b" }), example.issue("/c")]));
    const select = async (selection: Selection) => id(await whenReady(open(selection)));
    assert.equal(await select({ kind: "default" }), "spiffe://example.org/a");
    assert.equal(await select({ kind: "hint", hint: "b" }), "spiffe://example.org/b");
    const c = SpiffeId.parse("spiffe://example.org/c");
    assert.equal(await select({ kind: "id", id: c }), "spiffe://example.org/c");
  });

  it("is followed from SVID to SVID over one stream, each a new snapshot", async () => {
    const seen: IdentitySnapshot[] = [];
    const first = example.issue("/api");
    server.send(response([first]));
    const source = open();
    source.onChange((snapshot) => seen.push(snapshot));
    await generation(source, 1);
    server.send(response([example.issue("/api")]));
    await generation(source, 2);
    assert.notEqual(seen[0]!.svid.certPem, seen[1]!.svid.certPem);
    assert.equal(seen.length, 2);
    assert.equal(server.calls.length, 1);
  });

  it("makes no new snapshot when the same message comes again", async () => {
    const same = response([example.issue("/api")], other.federated);
    server.send(same);
    const source = open();
    const before = await generation(source, 1);
    server.send(same);
    server.send(response([]));
    await troubled(source, /svids is empty/);
    assert.equal(source.snapshot(), before);
    server.send(same);
    await stateOf(source, ({ problems }) => problems.length === 0);
    assert.equal(source.snapshot(), before);
    server.send(response([example.issue("/api")], other.federated));
    await generation(source, 2);
  });

  it("follows an authority from prepared to retired", async () => {
    const authorities = (snapshot: IdentitySnapshot) => snapshot.bundles.get("example.org")!.authorities.length;
    const old = example.issue("/api");
    server.send(response([old]));
    const source = open();
    assert.equal(authorities(await generation(source, 1)), 1);
    example.prepare();
    server.send(response([{ ...old, bundle: example.bundle }]));
    assert.equal(authorities(await generation(source, 2)), 2);
    example.activate();
    const renewed = example.issue("/api");
    server.send(response([renewed]));
    assert.equal(authorities(await generation(source, 3)), 2);
    example.retire();
    server.send(response([{ ...renewed, bundle: example.bundle }]));
    assert.equal(authorities(await generation(source, 4)), 1);
    // The bundle does not vouch for the old one any more.
    server.send(response([{ ...old, bundle: example.bundle }]));
    await troubled(source, /svids\[0\], verified with its own bundle: no authority/);
  });

  // Redaction: what a message does not hold is not trusted any more.
  it("loses a federated bundle with the first message that lacks it", async () => {
    const svid = example.issue("/api");
    server.send(response([svid], other.federated));
    const source = open();
    assert.ok((await generation(source, 1)).bundles.has("other.org"));
    server.send(response([svid]));
    assert.ok(!(await generation(source, 2)).bundles.has("other.org"));
    server.send(response([svid], other.federated));
    assert.ok((await generation(source, 3)).bundles.has("other.org"));
  });

  it("stays when a message can't be used, which is told and changes nothing, not even in part", async () => {
    const good = example.issue("/api");
    server.send(response([good], other.federated));
    const source = open();
    const before = await generation(source, 1);
    const unusable = [
      response([{ ...example.issue("/api"), x509SvidKey: good.x509SvidKey }]),
      response([example.issue("/api", { ttl: -1000 })]),
      response([example.issue("/api")], { key: "example.org", value: other.bundle }),
    ];
    for (const [index, message] of unusable.entries()) {
      server.send(message);
      const problem = [/is not the key of/, /the leaf expired/, /is of the trust domain of svids\[0\]/][index]!;
      const { problems } = await troubled(source, problem);
      assert.match(problems[0]!, /^a message of the Workload API at unix:\/\/\/.*agent\.sock is discarded: /);
      assert.equal(source.snapshot(), before);
    }
    server.sendBytes(Buffer.from([0x0a, 0x7f]));
    await troubled(source, /the bytes are no X509SVIDResponse/);
    assert.equal(source.snapshot(), before);
    server.send(response([example.issue("/api")], other.federated));
    await generation(source, 2);
    assert.deepEqual(source.state.problems, []);
    assert.equal(server.calls.length, 1);
  });

  it("may be waited for while messages can't be used", async () => {
    const good = example.issue("/api");
    server.send(response([{ ...good, bundle: Buffer.alloc(0) }]));
    const source = open();
    assert.equal((await troubled(source, /svids\[0\]\.bundle is empty/)).kind, "waiting");
    server.send(response([good]));
    await generation(source, 1);
  });
});

describe("a list of SVIDs that lacks something", () => {
  // When an authority is tainted, SPIRE's agent sends one of two SVIDs first, and both 2 ms later.
  it("is not acted on when the rest follows", async () => {
    server.send(response([example.issue("/a"), example.issue("/b")]));
    const source = open();
    const seen: string[] = [];
    source.onChange((snapshot) => seen.push(id(snapshot)));
    await generation(source, 1);
    const b = example.issue("/b");
    server.send(response([b]));
    server.send(response([example.issue("/a"), b]));
    await generation(source, 2);
    timers.advance(2 * SETTLE_MS);
    assert.deepEqual(seen, ["spiffe://example.org/a", "spiffe://example.org/a"]);
  });

  it("is acted on when nothing follows for a while", async () => {
    server.send(response([example.issue("/a"), example.issue("/b")]));
    const source = open();
    await generation(source, 1);
    server.send(response([example.issue("/b")]));
    await settling();
    timers.advance(SETTLE_MS - 1);
    assert.equal(source.snapshot().generation, 1);
    timers.advance(1);
    assert.equal(id(await generation(source, 2)), "spiffe://example.org/b");
    // The shorter list is the measure from now on.
    server.send(response([example.issue("/b")]));
    await generation(source, 3);
  });

  it("lacks the SVID in use also when it is no shorter", async () => {
    server.send(response([example.issue("/a")]));
    const source = open();
    await generation(source, 1);
    server.send(response([example.issue("/b")]));
    await settling();
    assert.equal(id(source.snapshot()), "spiffe://example.org/a");
    timers.advance(SETTLE_MS);
    assert.equal(id(source.snapshot()), "spiffe://example.org/b");
  });

  it("leaves the identity in use when it lacks the one that was asked for, and says so", async () => {
    server.send(response([example.issue("/a", { hint: "a" }), example.issue("/b")]));
    const source = open({ kind: "hint", hint: "a" });
    await generation(source, 1);
    server.send(response([example.issue("/b")]));
    await settling();
    timers.advance(SETTLE_MS);
    await troubled(source, /no X.509-SVID has the hint "a"; offered are spiffe:\/\/example\.org\/b/);
    assert.equal(id(source.snapshot()), "spiffe://example.org/a");
  });

  it("is forgotten when the stream ends: the next one begins with all there is", async () => {
    const both = response([example.issue("/a"), example.issue("/b")]);
    server.send(both);
    const source = open();
    await generation(source, 1);
    server.send(response([example.issue("/b")]));
    await settling();
    server.fail(status.UNAVAILABLE, "restarting");
    await troubled(source, /UNAVAILABLE: restarting/);
    timers.advance(SETTLE_MS);
    assert.equal(source.snapshot().generation, 1);
    assert.match(source.state.problems[0]!, /restarting/);
  });

  /** The source holds a list. The only other pause there is is that of the expiry check. */
  async function settling(): Promise<void> {
    while (!timers.pauses.includes(SETTLE_MS)) await new Promise(setImmediate);
  }
});

describe("without an identity", () => {
  it("the source waits, and takes it when it comes: no entry yet", async () => {
    const source = open();
    const { kind, problems } = await troubled(source, /PERMISSION_DENIED: no identity issued$/);
    assert.equal(kind, "waiting");
    assert.equal(problems.length, 1);
    server.send(response([example.issue("/api")]));
    assert.equal(comeDue(), 1000);
    await generation(source, 1);
  });

  it("the source waits, and takes it when it comes: no socket yet", async () => {
    await server.stop();
    const source = open();
    const { kind, problems } = await troubled(source, /ENOENT/);
    assert.equal(kind, "waiting");
    assert.deepEqual(problems, [`the Workload API at ${server.endpoint} can't be reached: ENOENT`]);
    await server.restart();
    server.send(response([example.issue("/api")]));
    comeDue();
    await generation(source, 1);
  });

  for (const [code, details] of [
    [status.UNAVAILABLE, "workload attestation failed"],
    [status.RESOURCE_EXHAUSTED, "rate limit exceeded"],
    [status.INTERNAL, "oops"],
    [status.CANCELLED, "gone"],
  ] as const) {
    it(`the source tries again after ${status[code]}`, async () => {
      server.fail(code, details);
      const source = open();
      await troubled(source, new RegExp(`ended the stream with ${status[code]}: ${details}$`));
      assert.equal(source.state.kind, "waiting");
      server.send(response([example.issue("/api")]));
      comeDue();
      await generation(source, 1);
    });
  }

  for (const code of [status.INVALID_ARGUMENT, status.UNIMPLEMENTED]) {
    it(`the source gives up after ${status[code]}: the next request would be the same`, async () => {
      server.fail(code, "no");
      const source = open();
      await assert.rejects(whenReady(source), (error) => {
        assert.ok(error instanceof MaterialError);
        assert.match(error.message, new RegExp(`^the Workload API at .* ended the stream with ${status[code]}: no$`));
        return true;
      });
      assert.equal(source.state.kind, "failed");
      assert.deepEqual(timers.pauses, []);
    });
  }

  it("the reason is told once, however often it is tried, and again when it changes", async () => {
    const source = open();
    const told: string[] = [];
    source.onState(({ problems }) => told.push(...problems));
    const pauses: number[] = [];
    for (let attempt = 1; attempt <= 4; attempt++) {
      await attempts(attempt);
      pauses.push(comeDue());
    }
    server.fail(status.UNAVAILABLE, "workload attestation failed");
    await attempts(5);
    comeDue();
    await troubled(source, /attestation/);
    assert.deepEqual(pauses, [1000, 2000, 3000, 4000]);
    assert.equal(told.length, 2);
    assert.match(told.join(), /no identity issued,.*attestation failed$/);
  });

  /** So many requests have been answered, and the next is waiting for its time. */
  async function attempts(count: number): Promise<void> {
    while (server.calls.length < count || timers.pauses.length === 0) await new Promise(setImmediate);
  }
});

describe("when the Workload API is lost", () => {
  it("the identity stays in use, and the next stream's is taken", async () => {
    server.send(response([example.issue("/api")]));
    const source = open();
    const before = await generation(source, 1);
    await server.kill();
    await troubled(source, /the Workload API at unix:.* (can't be reached|ended the stream with UNAVAILABLE)/);
    assert.equal(source.snapshot(), before);
    comeDue();
    await troubled(source, /can't be reached: ECONNREFUSED$/);
    assert.equal(source.snapshot(), before);
    await server.restart();
    server.send(response([example.issue("/api")]));
    assert.equal(comeDue(), 2000);
    await generation(source, 2);
    assert.deepEqual(source.state.problems, []);
  });

  it("the pauses begin anew after a good message", async () => {
    server.send(response([example.issue("/api")]));
    const source = open();
    for (let round = 1; round <= 3; round++) {
      await generation(source, round);
      server.interrupt(status.UNAVAILABLE, `round ${round}`);
      await troubled(source, new RegExp(`round ${round}$`));
      server.send(response([example.issue("/api")]));
      assert.equal(comeDue(), 1000);
    }
    await generation(source, 4);
  });

  it("the identity ends with its validity, and its bundles with it", async () => {
    server.send(response([example.issue("/api")]));
    const source = open();
    await generation(source, 1);
    server.deny();
    assert.equal((await troubled(source, /PERMISSION_DENIED: no identity issued$/)).kind, "ready");
    timers.advance(HOUR);
    assert.equal(source.state.kind, "ready");
    timers.advance(1);
    const { kind, problems } = source.state;
    assert.equal(kind, "waiting");
    assert.match(problems[0]!, /^the X.509-SVID of spiffe:\/\/example\.org\/api expired at 2026-/);
    assert.match(problems[1]!, /PERMISSION_DENIED/);
    assert.throws(() => source.snapshot(), MaterialError);
  });
});

describe("a source that is closed", () => {
  it("ends its stream, tells nothing and leaves no timer", async () => {
    server.send(response([example.issue("/api")]));
    const source = open();
    await generation(source, 1);
    source.onState(() => assert.fail("told after the end"));
    assert.equal(server.streams, 1);
    source.close();
    while (server.streams > 0) await new Promise(setImmediate);
    assert.deepEqual(timers.pauses, []);
    assert.equal(source.snapshot().generation, 1);
  });

  it("tries no more", async () => {
    const source = open();
    await troubled(source, /PERMISSION_DENIED/);
    source.close();
    assert.deepEqual(timers.pauses, []);
  });
});

// The tests lean on it, so it is held to SPIRE's ways itself.
describe("the Workload API of the tests", () => {
  async function ask(header: Record<string, string | string[]>, path = FETCH_X509_SVID): Promise<ServiceError> {
    const client = new Client(parseEndpoint(server.endpoint).target, credentials.createInsecure());
    const metadata = new Metadata();
    for (const [name, values] of Object.entries(header)) for (const value of [values].flat()) metadata.add(name, value);
    const pass = (bytes: Buffer) => bytes;
    const stream = client.makeServerStreamRequest(path, pass, pass, Buffer.alloc(0), metadata);
    stream.resume();
    const [error] = (await once(stream, "error")) as [ServiceError];
    client.close();
    return error;
  }

  it("refuses a request without the header, and one that has it in another form", async () => {
    assert.equal((await ask({ "workload.spiffe.io": "true" })).code, status.PERMISSION_DENIED);
    for (const value of [[], "1", "TRUE", ["true", "true"]]) {
      const { code, details } = await ask({ "workload.spiffe.io": value });
      assert.deepEqual([code, details], [status.INVALID_ARGUMENT, "security header missing from request"]);
    }
  });

  it("has no other methods", async () => {
    const header = { "workload.spiffe.io": "true" };
    assert.equal((await ask(header, "/SpiffeWorkloadAPI/FetchWITSVID")).code, status.UNIMPLEMENTED);
  });
});
