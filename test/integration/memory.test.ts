import assert from "node:assert/strict";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { type TestContext, describe, it } from "node:test";
import { beginCall, openSession } from "../../bench/access.ts";
import { largePut } from "../../bench/attack-messages.ts";
import { peakRssBytes } from "../../bench/process-stat.ts";
import { grpcMessage } from "../../bench/request.ts";
import { getRequest } from "../../src/contract/messages.ts";
import { memoryCgroup } from "../support/memory-cgroup.ts";
import { nextEvent } from "../support/next-event.ts";
import { type ServerProcess, Site, type StartOptions } from "../support/server-process.ts";
import { page } from "../support/pages.ts";

const MB = 1e6;
const STORE_BYTES = 16 * 1024 * 1024;

// Each of the two attackers has two connections. One attacker starts PUTS calls on each of its connections, the other
// GETS calls. The server allows 256 concurrent calls on a connection.
const CONNECTIONS = 2;
const PUTS = 200;
const GETS = 250;

const PUTTER = "spiffe://example.org/putter";
const GETTER = "spiffe://example.org/getter";
const WELL_BEHAVED = "spiffe://example.org/well-behaved";
const SECRET = "large";

const FORMULA = /--max-store-bytes \+ (\d+) MB \+ (\d+) kB for each connection/;
const [besideMB, connectionKB] = FORMULA.exec(page("docs/operations.md").text)!.slice(1).map(Number);

/** The bound of docs/operations.md for this server, the attackers' connections and a well-behaved one. */
const PROMISED = STORE_BYTES + besideMB! * MB + (2 * CONNECTIONS + 1) * connectionKB! * 1000;

/** A site of its own for each test, because the tests run at the same time. */
function siteOf(t: TestContext): Site {
  const site = new Site();
  t.after(() => site.remove());
  return site;
}

function start(site: Site, options: StartOptions): Promise<ServerProcess> {
  const admins = [PUTTER, GETTER, WELL_BEHAVED].flatMap((id) => ["--admin", id]);
  return site.start({
    ...options,
    node: ["--max-semi-space-size=64"],
    flags: ["--max-store-bytes", String(STORE_BYTES), ...admins],
  });
}

function sessions(site: Site, id: string, { port }: ServerProcess, settings = {}): ClientHttp2Session[] {
  return Array.from({ length: CONNECTIONS }, () => {
    const session = openSession({ port, ...site.tlsOf(id) }, { settings });
    return session.setMaxListeners(0);
  });
}

/** Sends Puts of 4 MiB without their last byte. */
function unfinishedPuts(session: ClientHttp2Session): ClientHttp2Stream[] {
  const message = grpcMessage(largePut()).subarray(0, -1);
  return Array.from({ length: PUTS }, () => {
    const stream = beginCall(session, "/coffer.v1.Secrets/Put").resume();
    stream.write(message);
    return stream;
  });
}

/** Starts Gets of 1 MB whose answers are never read: their streams have a window of 0 bytes. */
function unreadGets(session: ClientHttp2Session): ClientHttp2Stream[] {
  const message = grpcMessage(getRequest.encode(getRequest.of({ path: SECRET, version: 0 })));
  return Array.from({ length: GETS }, () => beginCall(session, "/coffer.v1.Secrets/Get").end(message));
}

/** Attacks until every Put is answered. Resolves with the outcomes of a well-behaved caller during the attack. */
async function attack(site: Site, server: ServerProcess): Promise<Set<string>> {
  const wellBehaved = site.workload(WELL_BEHAVED, server);
  assert.equal((await wellBehaved.put({ path: SECRET, data: { k: "v".repeat(1_000_000) } })).code, "OK");
  const attackers = [...sessions(site, PUTTER, server), ...sessions(site, GETTER, server, { initialWindowSize: 0 })];
  await Promise.all(attackers.map((session) => nextEvent(session, "remoteSettings")));
  for (const session of attackers.slice(CONNECTIONS)) unreadGets(session);
  const puts = attackers.slice(0, CONNECTIONS).flatMap(unfinishedPuts);
  // node:http2 does not close a client's stream that was answered before all of its request was sent, so "end" also
  // counts as an answer.
  const open = new Set(puts);
  for (const put of puts) for (const event of ["end", "close"]) put.once(event, () => open.delete(put));
  const outcomes = new Set<string>();
  while (open.size > 0 && !server.isGone) {
    outcomes.add((await wellBehaved.get({ path: SECRET })).code);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const session of attackers) session.destroy();
  wellBehaved.close();
  return outcomes;
}

// 200 unfinished Puts of 4 MiB on each of two connections, and 250 unread Gets of 1 MB on each of two others take more
// than 2 GB without budgets. Another SPIFFE ID is served all the time. Both tests wait most of the time until the Puts have
// exceeded their time, so they run at the same time.
describe("the memory formula of docs/operations.md holds under attack", { concurrency: true }, () => {
  it("by the kernel's peak of resident memory", async (t) => {
    const site = siteOf(t);
    const server = await start(site, {});
    const outcomes = await attack(site, server);
    const peak = peakRssBytes(server.pid);
    assert.deepEqual([...outcomes], ["OK"]);
    assert.ok(peak < PROMISED, `${peak / MB} MB, more than ${PROMISED / MB} MB`);
    console.log(`# peak RSS: ${Math.round(peak / MB)} MB of ${Math.round(PROMISED / MB)} MB`);
    await server.stop();
  });

  it("under a memory limit of the kernel", async (t) => {
    const cgroup = memoryCgroup(PROMISED);
    if ("because" in cgroup) return t.skip(cgroup.because);
    const site = siteOf(t);
    t.after(cgroup.remove);
    const server = await start(site, { prefix: cgroup.prefix });
    const outcomes = await attack(site, server);
    assert.equal(server.isGone, false, "the kernel has killed it");
    assert.deepEqual([...outcomes], ["OK"]);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });
});
