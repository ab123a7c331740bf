import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemClock } from "../../src/domain/timers.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { connectToFronts, type FrontCaller } from "../support/front-callers.ts";
import { ADMIN, type Caller, type LogLine, ServerKit } from "../support/server-kit.ts";
import { until } from "../support/until.ts";

const FRONTS = 3;
const EVERYONE = "spiffe://example.org/caller/*";
const rule = (actions: string) =>
  `rules:\n  - {name: everyone, spiffe_ids: ["${EVERYONE}"], paths: ["**"], actions: [${actions}]}\n`;

let kit: ServerKit;
let callers: readonly FrontCaller[];
const opened: Caller[] = [];

beforeEach(async () => {
  kit = await ServerKit.start({ threads: FRONTS });
  writeFileSync(kit.config.policy!, rule("read, write, list"));
  await kit.restart();
  callers = await connectToFronts(threaded(), 2);
});
afterEach(async () => {
  for (const caller of opened.splice(0)) caller.close();
  await kit.stop();
});

function threaded() {
  const connect = (id: string) => kept(kit.caller(id));
  const log = async () => {
    await kit.settled();
    return kit.log;
  };
  return { fronts: FRONTS, connect, log };
}

function kept(caller: Caller): Caller {
  opened.push(caller);
  return caller;
}

const lines = (event: string): LogLine[] => kit.log.filter((line) => line.event === event);

/** Resolves in the turn in which the log gets the next such line, when nothing else has run since. */
function nextLine(event: string): Promise<LogLine> {
  return new Promise((resolve) => {
    const push = kit.log.push.bind(kit.log);
    kit.log.push = (...added) => {
      const found = added.find((line) => line.event === event);
      if (found !== undefined) {
        kit.log.push = push;
        resolve(found);
      }
      return push(...added);
    };
  });
}

const codes = (call: (caller: Caller) => Promise<{ readonly code: string }>) =>
  Promise.all(callers.map(async ({ caller }) => (await call(caller)).code));
const all = (code: string) => callers.map(() => code);

describe("A server with three fronts", () => {
  // The line is the operator's confirmation: a rule that was withdrawn allows nothing on any front after it.
  it("has a new policy in force on every front when its log says so", async () => {
    for (const [actions, code] of [
      ["list", "PERMISSION_DENIED"],
      ["list, read", "NOT_FOUND"],
    ] as const) {
      const loaded = nextLine("policy loaded");
      writeFileSync(kit.config.policy!, rule(actions));
      await loaded;
      assert.deepEqual(await codes((caller) => caller.get({ path: "none" })), all(code));
    }
  });

  it("closes the connections of a removed trust domain on every front, and accepts no new ones", async () => {
    const ca = createDevelopmentCa(TrustDomain.parse("other.org"), systemClock);
    const bundle = join(kit.folder, "other.pem");
    writeFileSync(bundle, ca.bundlePem);
    const files = { ...kit.files, bundles: new Map([...kit.files.bundles, ["other.org", bundle]]) };
    Object.assign(kit.config, { identity: { kind: "files", files, because: "the test says so" } });
    await kit.restart();
    const others = Array.from({ length: 2 * FRONTS }, (_, n) => {
      return kept(kit.callerWith(ca.issue({ id: `spiffe://other.org/caller/${n}` })));
    });
    for (const other of others) assert.equal((await other.get({ path: "none" })).code, "PERMISSION_DENIED");
    const connections = () => kit.log.filter(({ spiffe_id }) => String(spiffe_id).startsWith("spiffe://other.org/"));
    await kit.settled();
    const fronts = new Set(connections().map(({ connection }) => Number(connection) % FRONTS));
    assert.equal(fronts.size, FRONTS, "each front has a connection of the trust domain");

    const before = lines("connection refused").length;
    const updated = nextLine("identity updated");
    writeFileSync(bundle, "");
    await updated;
    const late = kept(kit.callerWith(ca.issue({ id: "spiffe://other.org/late" })));
    assert.equal((await late.get({ path: "none" })).code, "UNAVAILABLE");
    const removed = await until("every connection of the trust domain is refused", async () => {
      await kit.settled();
      const refused = lines("connection refused").slice(before);
      const verified = refused.filter(({ spiffe_id }) => String(spiffe_id).startsWith("spiffe://other.org/caller/"));
      return new Set(verified.map(({ connection }) => connection)).size >= others.length && verified;
    });
    assert.equal(new Set(removed.map(({ connection }) => Number(connection) % FRONTS)).size, FRONTS);
    const trusted = kept(kit.caller(ADMIN));
    assert.equal((await trusted.get({ path: "none" })).code, "NOT_FOUND", "other trust domains are served");
  });

  // Each caller always has a call in flight and never retries. Every call that was sent is answered, and each Put that
  // was acknowledged is in the store.
  it("answers the calls in flight on every front when it shuts down", async () => {
    const acknowledged = callers.map(() => 0);
    const ends = callers.map(async ({ caller }, n) => {
      for (;;) {
        const { code, message } = await caller.put({ path: `load/${n}`, data: { value: String(acknowledged[n]) } });
        if (code !== "OK") return `${code}: ${message}`;
        acknowledged[n]! += 1;
      }
    });
    await until("each caller has written", () => acknowledged.every((count) => count > 5));
    const restarted = kit.restart();
    // A connection that got its GOAWAY is closed after its last answer; the next call finds no listener.
    for (const end of await Promise.all(ends)) assert.match(end, /^UNAVAILABLE: .*(ECONNREFUSED|No connection)/);
    await restarted;
    const admin = kept(kit.caller(ADMIN));
    for (const [n, count] of acknowledged.entries()) {
      const { response } = await admin.get({ path: `load/${n}` });
      assert.equal(response.version, count);
      assert.equal(response.data.value, String(count - 1));
    }
  });

  // A Destroy is answered when every front has applied it. A shutdown ends the fronts meanwhile: the answer must not wait
  // for them forever, and every version whose Destroy is answered with OK is destroyed.
  it("answers the Destroys in flight on every front when it shuts down", async () => {
    const loaded = nextLine("policy loaded");
    writeFileSync(kit.config.policy!, rule("read, write, destroy"));
    await loaded;
    const destroyed = callers.map(() => 0);
    const ends = callers.map(async ({ caller }, n) => {
      for (let version = 1; ; version++) {
        const put = await caller.put({ path: `load/${n}`, data: { value: "x" } });
        if (put.code !== "OK") return put.message;
        const { code, message } = await caller.call("Destroy", { path: `load/${n}` });
        if (code !== "OK") return `${code}: ${message}`;
        destroyed[n] = version;
      }
    });
    await until("each caller has destroyed versions", () => destroyed.every((version) => version > 3));
    const restarted = kit.restart();
    for (const end of await Promise.all(ends)) assert.match(end, /ECONNREFUSED|No connection/);
    await restarted;
    const admin = kept(kit.caller(ADMIN));
    for (const [n, version] of destroyed.entries()) {
      const { reason } = await admin.get({ path: `load/${n}`, version });
      assert.equal(reason, "VERSION_DESTROYED");
    }
  });

  // The sequence of the codes of each connection is different, so a line that is lost, repeated or moved is seen.
  it("writes each line of a front once, in the order of the front", async () => {
    await kept(kit.caller(ADMIN)).put({ path: "there", data: { value: "x" } });
    await kit.settled();
    const before = kit.log.length;
    const performed = await Promise.all(
      callers.map(async ({ caller, connection }, n) => {
        const sequence: string[] = [];
        for (let i = 0; i < 40; i++) {
          const isThere = ((n * 2654435761 + i * i * 40503) >>> 5) % 2 === 0;
          sequence.push((await caller.get({ path: isThere ? "there" : "none" })).code);
        }
        return [connection, sequence] as const;
      }),
    );
    await kit.settled();
    const written = kit.log.slice(before).filter(({ event }) => event === "call");
    for (const [connection, sequence] of performed) {
      const own = written.filter((line) => line["connection"] === connection);
      assert.deepEqual(
        own.map(({ code }) => code),
        sequence,
      );
      assert.ok(sequence.includes("OK") && sequence.includes("NOT_FOUND"));
    }
    assert.equal(written.length, callers.length * 40);
  });

  it("has one page of metrics, which counts the calls and connections of all fronts", async () => {
    const page = async () => (await (await fetch(`${kit.opsUrl}/metrics`)).text()).split("\n");
    const value = async (series: string) => {
      const found = (await page()).filter((line) => line.startsWith(`${series} `));
      assert.equal(found.length, 1, series);
      return Number(found[0]!.split(" ").at(-1));
    };
    const handled =
      'grpc_server_handled_total{grpc_type="unary",grpc_service="coffer.v1.Secrets",grpc_method="Describe",grpc_code="NotFound"}';
    assert.equal(await value(handled), 0);
    await codes((caller) => caller.describe({ path: "none" }));
    assert.equal(await value(handled), 0, "no rule allows it");
    const admins = Array.from({ length: FRONTS }, () => kept(kit.caller(ADMIN)));
    for (const admin of admins) assert.equal((await admin.describe({ path: "none" })).code, "NOT_FOUND");
    assert.equal(await value(handled), FRONTS);
    assert.equal(await value("coffer_connections"), callers.length + FRONTS);
  });
});
