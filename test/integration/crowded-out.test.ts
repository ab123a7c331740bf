import assert from "node:assert/strict";
import { once } from "node:events";
import type { ClientHttp2Session } from "node:http2";
import { afterEach, beforeEach, it } from "node:test";
import { mostServed } from "../../src/admission/handshake-gate.ts";
import { sessionOf } from "../support/bare-call.ts";
import { watchHealth } from "../support/health-watch.ts";
import { ServerKit, WEB } from "../support/server-kit.ts";

// Eight places are left for handshakes, of which these tests have at most five under way.
const LIMITS = { connections: 128, inProgress: 64, perSecond: 1000 };
const SERVED = mostServed(LIMITS);
const HONEST = 20;
const GRABS = 4;
const HONEST_ID = "spiffe://example.org/honest/0";

let kit: ServerKit;
let sessions: ClientHttp2Session[];

beforeEach(async () => {
  sessions = [];
  kit = await ServerKit.start({ handshakes: LIMITS });
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

function reasons(): (string | undefined)[] {
  return kit.log.filter(({ event }) => event === "connection refused").map((line) => String(line["reason"]));
}

// One SVID that opens connections as fast as it can, and again when one is closed, takes every place from itself.
it("one greedy SPIFFE ID keeps none of twenty others out", async () => {
  let isGreedy = true;
  let opens = 0;
  const grab = async () => {
    while (isGreedy) {
      // It may be closed before it has heard from the server.
      await opened(WEB).catch(() => {});
      opens += 1;
    }
  };
  const grabs = Array.from({ length: GRABS }, grab);
  while (opens < SERVED + 10) await new Promise((resolve) => setTimeout(resolve, 5));
  const callers = Array.from({ length: HONEST }, (_, n) => kit.caller(`spiffe://example.org/honest/${n}`));
  for (const caller of callers) assert.equal((await caller.get({ path: "shop/x" })).code, "PERMISSION_DENIED");
  // Those that were let in first are still served.
  for (const caller of callers) assert.equal((await caller.get({ path: "shop/x" })).code, "PERMISSION_DENIED");
  isGreedy = false;
  await Promise.all(grabs);
  for (const caller of callers) caller.close();
  const crowdedOut = kit.log.filter((line) => line["reason"] === "crowded-out");
  assert.ok(crowdedOut.length > 0);
  for (const line of crowdedOut) assert.equal(line["spiffe_id"], WEB);
});

// A connection with a call under way is worth more than one that waits.
it("the oldest idle connection of the greediest SPIFFE ID goes first, and busy ones last", async () => {
  const busy = await opened(WEB);
  await once(watchHealth(busy), "data");
  const idle = await opened(WEB);
  const rest: ClientHttp2Session[] = [];
  while (rest.length < SERVED - 2) rest.push(await opened(WEB));
  assert.deepEqual(reasons(), []);
  const isClosed = closed(idle);
  await opened(HONEST_ID);
  await isClosed;
  assert.deepEqual(reasons(), ["crowded-out"]);
  assert.equal(busy.closed, false);
  assert.ok(rest.every((session) => !session.closed));
});

it("of connections that are all busy, the oldest goes", async () => {
  const all: ClientHttp2Session[] = [];
  for (let i = 0; i < SERVED; i++) {
    const session = await opened(WEB);
    await once(watchHealth(session), "data");
    all.push(session);
  }
  const isClosed = closed(all[0]!);
  await opened(HONEST_ID);
  await isClosed;
  assert.ok(all.slice(1).every((session) => !session.closed));
});
