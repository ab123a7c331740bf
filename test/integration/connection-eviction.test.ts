import assert from "node:assert/strict";
import type { ClientHttp2Session } from "node:http2";
import { afterEach, beforeEach, it } from "node:test";
import type { ServeConfig } from "../../src/config/serve-config.ts";
import { mostServed } from "../../src/admission/handshake-gate.ts";
import { sessionOf } from "../support/bare-call.ts";
import { watchHealth } from "../support/health-watch.ts";
import { nextEvent } from "../support/next-event.ts";
import { ServerKit, WEB } from "../support/server-kit.ts";

// Eight connections are left for handshakes. At most five handshakes of these tests are in progress at a time.
const LIMITS = { connections: 128, inProgress: 64, perSecond: 1000 };
const SERVED = mostServed(LIMITS);
const OTHERS = 20;
const GREEDY_LOOPS = 4;
const OTHER_ID = "spiffe://example.org/other/0";

let kit: ServerKit;
let sessions: ClientHttp2Session[];

async function start(config: Partial<ServeConfig> = {}): Promise<void> {
  kit = await ServerKit.start({ handshakes: LIMITS, ...config });
}

// A front closes the oldest of its own connections: only with one front is it the oldest of all.
const ONE_FRONT = { threads: 1 };

beforeEach(() => {
  sessions = [];
});

afterEach(async () => {
  for (const session of sessions) session.destroy();
  await kit.stop();
});

async function opened(id: string): Promise<ClientHttp2Session> {
  const session = await sessionOf(kit, id);
  sessions.push(session);
  return session;
}

function closed(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve) => session.once("close", resolve));
}

async function reasons(): Promise<(string | undefined)[]> {
  await kit.settled();
  return kit.log.filter(({ event }) => event === "connection refused").map((line) => String(line["reason"]));
}

// One SPIFFE ID opens connections as fast as possible, and reopens those that are closed. It displaces only its own
// connections.
it("serves twenty other SPIFFE IDs while one opens connections continuously", async () => {
  await start();
  let isGreedy = true;
  let opens = 0;
  const openContinuously = async () => {
    while (isGreedy) {
      // The server may close the connection before its first bytes arrive.
      await opened(WEB).catch(() => {});
      opens += 1;
    }
  };
  const loops = Array.from({ length: GREEDY_LOOPS }, openContinuously);
  while (opens < SERVED + 10) await new Promise((resolve) => setTimeout(resolve, 5));
  const callers = Array.from({ length: OTHERS }, (_, n) => kit.caller(`spiffe://example.org/other/${n}`));
  for (const caller of callers) assert.equal((await caller.get({ path: "shop/x" })).code, "PERMISSION_DENIED");
  // The server still serves the clients that connected first.
  for (const caller of callers) assert.equal((await caller.get({ path: "shop/x" })).code, "PERMISSION_DENIED");
  isGreedy = false;
  await Promise.all(loops);
  for (const caller of callers) caller.close();
  await kit.settled();
  const crowdedOut = kit.log.filter((line) => line["reason"] === "crowded-out");
  // On a slow machine, the limit on log lines also writes a summary, which is about no single connection.
  const closedOnes = crowdedOut.filter((line) => line["connection"] !== undefined);
  assert.ok(closedOnes.length > 0);
  for (const line of closedOnes) assert.equal(line["spiffe_id"], WEB);
});

// The server keeps a connection with a call in progress longer than an idle one.
it("closes the oldest idle connection of the SPIFFE ID with the most connections, and busy connections last", async () => {
  await start(ONE_FRONT);
  const busy = await opened(WEB);
  await nextEvent(watchHealth(busy), "data");
  const idle = await opened(WEB);
  const rest: ClientHttp2Session[] = [];
  while (rest.length < SERVED - 2) rest.push(await opened(WEB));
  assert.deepEqual(await reasons(), []);
  const isClosed = closed(idle);
  await opened(OTHER_ID);
  await isClosed;
  assert.deepEqual(await reasons(), ["crowded-out"]);
  assert.equal(busy.closed, false);
  assert.ok(rest.every((session) => !session.closed));
});

it("closes the oldest connection if all are busy", async () => {
  await start(ONE_FRONT);
  const all: ClientHttp2Session[] = [];
  for (let i = 0; i < SERVED; i++) {
    const session = await opened(WEB);
    await nextEvent(watchHealth(session), "data");
    all.push(session);
  }
  const isClosed = closed(all[0]!);
  await opened(OTHER_ID);
  await isClosed;
  assert.ok(all.slice(1).every((session) => !session.closed));
});
