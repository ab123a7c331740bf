import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { callerVariables } from "../support/cli-caller.ts";
import { coffer } from "../support/cli-kit.ts";
import { API, type Caller, type LogLine, type Outcome, ServerKit } from "../support/server-kit.ts";

const OWN = "spiffe://example.org/coffer";
const NEXT = "spiffe://example.org/coffer/next";
const OWN_ID_RULE = "the server's own SPIFFE ID";

/**
 * A policy that allows everything to all workloads of the trust domain by a pattern, and names the server in one rule.
 */
const POLICY = `
rules:
  - name: all workloads
    spiffe_ids: ["spiffe://example.org/**"]
    paths: ["**"]
    actions: [read, write, delete, destroy, list, describe]
  - name: the server
    spiffe_ids: [${OWN}]
    paths: ["**"]
    actions: [read]
`;

async function callEach(caller: Caller): Promise<Outcome[]> {
  return [
    await caller.put({ path: "a", data: { k: "v" } }),
    await caller.get({ path: "a" }),
    await caller.list({ prefix: "" }),
    await caller.describe({ path: "a" }),
    await caller.delete({ path: "nothing/here" }),
  ];
}

describe("a caller with the server's own SPIFFE ID", () => {
  let kit: ServerKit;
  before(async () => {
    kit = await ServerKit.start({ admins: [SpiffeId.parse(OWN)] });
    writeFileSync(kit.config.policy!, POLICY);
    await kit.restart();
  });
  after(() => kit.stop());

  const lines = (event: string) => kit.log.filter((line) => line.event === event);

  async function logged(event: string, isWanted: (line: LogLine) => boolean): Promise<void> {
    while (!lines(event).some(isWanted)) await setImmediate();
  }

  // The policy and --admin have no effect on it: each call is denied with the reason, whether the secret exists or not.
  // A caller with another ID is not denied.
  it("may do nothing", async () => {
    const [own, api] = [kit.caller(OWN), kit.caller(API)];
    for (const { code, reason, message } of await callEach(own)) {
      assert.deepEqual([code, reason], ["PERMISSION_DENIED", "ACCESS_DENIED"]);
      assert.match(
        message,
        /^the caller has the server's own SPIFFE ID, spiffe:\/\/example\.org\/coffer, which is never allowed any action; /,
      );
    }
    await kit.settled();
    assert.equal(
      lines("call denied").filter(({ spiffe_id, rule }) => spiffe_id === OWN && rule === OWN_ID_RULE).length,
      5,
    );
    const codes = (await callEach(api)).map(({ code }) => code);
    assert.deepEqual(codes, ["OK", "OK", "OK", "OK", "NOT_FOUND"]);
    own.close();
    api.close();
  });

  it("causes a warning for each place of the configuration that names it", () => {
    const details = lines("policy warning").map(({ detail }) => String(detail).split(", ")[0]);
    assert.ok(details.includes(`the rule "the server" names ${OWN}`), details.join("\n"));
    assert.ok(details.includes(`--admin names ${OWN}`));
    assert.deepEqual(
      details.filter((detail) => /all workloads/.test(String(detail))),
      [],
    );
  });

  // The client refuses before it sends anything, because the peer at the address would get the content of a Put. The
  // exception is health, for a probe that runs next to the server with the server's own SVID.
  it("is refused by Coffer's own client, except for health", async () => {
    const [env, other] = [callerVariables(kit, OWN, "own"), callerVariables(kit, API, "other")];
    const seen = kit.log.length;
    for (const line of [
      "put a k=v",
      "get a",
      "get a --wait 60s",
      "delete a",
      "list",
      "describe a",
      "run a -- touch marker",
    ]) {
      const ran = await coffer(line.split(" "), { env, cwd: kit.folder });
      assert.equal(ran.code, 7, ran.stderr);
      assert.match(
        ran.stderr,
        /^coffer: nothing was sent to .* give Coffer its own SPIFFE ID\n(coffer: nothing was changed\n)?$/,
      );
    }
    await kit.settled();
    assert.deepEqual(
      kit.log.slice(seen).filter(({ spiffe_id }) => spiffe_id === OWN),
      [],
    );
    assert.equal((await coffer(["health"], { env })).stdout.toString(), "SERVING\n");
    assert.equal((await coffer(["get", "a", "k"], { env: other })).stdout.toString(), "v");
  });

  // The server's ID can change with its next SVID. From the next call on, also on open connections, a workload with the
  // previous ID is an ordinary caller, and one with the new ID is denied.
  it("is the caller with the ID that the server has now", async () => {
    const [own, next] = [kit.caller(OWN), kit.caller(NEXT)];
    const codes = async () => [await own.get({ path: "a" }), await next.get({ path: "a" })].map(({ code }) => code);
    assert.deepEqual(await codes(), ["PERMISSION_DENIED", "OK"]);
    kit.writeCredential(kit.issue({ id: NEXT, dns: ["localhost"] }), "coffer");
    kit.server.reload();
    await logged("identity updated", ({ spiffe_id }) => spiffe_id === NEXT);
    assert.deepEqual(await codes(), ["OK", "PERMISSION_DENIED"]);
    own.close();
    next.close();
  });
});
