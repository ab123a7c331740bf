import assert from "node:assert/strict";
import { after, afterEach, describe, it } from "node:test";
import { type FloodKind, UnauthenticatedClients } from "../../bench/unauthenticated-clients.ts";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { LONG } from "../support/long-form.ts";
import { type ServerProcess, Site, type StartOptions } from "../support/server-process.ts";

/** How many connections strangers hold, and what the server allows: its defaults, or the same made small. */
const { connections, flags } = LONG
  ? { connections: 5000, flags: [] }
  : { connections: 300, flags: ["--max-handshakes", "64", "--max-connections", "500"] };

/** How many good clients come, one after the other. */
const NEWCOMERS = LONG ? 50 : 5;

/** Calls of a connected client. */
const GETS = LONG ? 10_000 : 500;

const HERE = "127.0.0.1";
const ELSEWHERE = "127.0.0.2";

const site = new Site();
/** The one server at a time that uses the site's data. */
let server: ServerProcess;

const foreign = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock).issue({
  id: "spiffe://example.org/admin",
});

after(() => site.remove());

/** Starts unauthenticated clients in a separate process. */
function gather(kind: FloodKind, from: string, count = connections): Promise<UnauthenticatedClients> {
  const certificate = { cert: foreign.certPem, key: foreign.keyPem };
  return UnauthenticatedClients.start({ kind, port: server.port, from, connections: count, certificate });
}

/** A client that connects and makes a call, each time another one. */
async function newcomer(): Promise<string> {
  const caller = site.caller(server);
  const { code } = await caller.get({ path: "flood/known" });
  caller.close();
  return code;
}

async function newcomers(): Promise<ReadonlySet<string>> {
  const codes = new Set<string>();
  for (let i = 0; i < NEWCOMERS; i++) codes.add(await newcomer());
  return codes;
}

/** Starts it, with one secret. */
async function start(options: StartOptions = {}): Promise<void> {
  server = await site.start({ flags, ...options });
  const caller = site.caller(server);
  assert.equal((await caller.put({ path: "flood/known", data: { value: "x" } })).code, "OK");
  caller.close();
}

afterEach(() => server.kill());

describe("a good client", () => {
  // More strangers than may be in handshake, who come again whenever they are closed. Those that say all of their hello
  // can't be told from good ones until they should answer, except by their address.
  for (const [kind, from] of [
    ["silent", HERE],
    ["half-hello", HERE],
    ["hello", ELSEWHERE],
  ] as const) {
    it(`gets in at the first attempt while strangers stall: ${kind}`, async () => {
      await start();
      const strangers = await gather(kind, from);
      assert.deepEqual(await newcomers(), new Set(["OK"]));
      const { opened } = await strangers.stop();
      assert.ok(opened >= connections);
      assert.equal((await server.logged("connection refused"))["reason"], "handshake-displaced");
    });
  }

  // Whoever has any certificate can make the server do all the work of a handshake, again and again.
  it("is served while strangers shake hands without end", async () => {
    await start();
    const connected = site.caller(server);
    assert.equal((await connected.get({ path: "flood/known" })).code, "OK");
    const strangers = await gather("handshake", ELSEWHERE, 16);
    await server.logged("connection refused");
    const codes = new Set<string>();
    for (let i = 0; i < GETS; i++) codes.add((await connected.get({ path: "flood/known" })).code);
    assert.deepEqual([codes, await newcomers()], [new Set(["OK"]), new Set(["OK"])]);
    await strangers.stop();
    connected.close();
    const reasons = new Set(server.lines("connection refused").map((line) => line["reason"]));
    // Those whose turn had not come in ten seconds, or when they all left: that they waited is what the limit is for.
    reasons.delete("handshake-not-begun");
    assert.deepEqual([...reasons], ["untrusted"]);
  });

  // Node closes connections that it has no descriptors for. Those that are open must not suffer from it.
  it("stays connected when the process has no more descriptors, and others get in when there are again", async () => {
    await start({ flags: [], prefix: ["bash", "-c", 'ulimit -n 80 && exec "$@"', "bash"] });
    const connected = site.caller(server);
    assert.equal((await connected.get({ path: "flood/known" })).code, "OK");
    const strangers = await gather("silent", ELSEWHERE);
    assert.equal(await newcomer(), "UNAVAILABLE", "there are no descriptors left");
    assert.equal((await connected.get({ path: "flood/known" })).code, "OK");
    await strangers.stop();
    connected.close();
    while ((await newcomer()) !== "OK");
  });
});
