import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTIONS, type Action } from "../../../src/authorization/action.ts";
import { ADMIN, Authorizer } from "../../../src/authorization/authorizer.ts";
import { decidedBy } from "../../../src/authorization/decision.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import { policyOf } from "../../support/policy-text.ts";

const POLICY = policyOf(`
rules:
  - name: api reads
    spiffe_ids: [spiffe://example.org/ns/shop/sa/api]
    paths: [shop/api/**, shared/*/public]
    actions: [read, list]
  - name: api writes one
    spiffe_ids: [spiffe://example.org/ns/shop/sa/api]
    paths: [shop/api/counter]
    actions: [write]
  - name: all read the motd
    spiffe_ids: [spiffe://example.org/**]
    paths: [motd]
    actions: [read]
  - name: hostile
    spiffe_ids: [spiffe://__proto__/constructor]
    paths: [__proto__/**, constructor]
    actions: [read, delete]
`);

const authorizer = new Authorizer({ policy: POLICY, admins: [SpiffeId.parse("spiffe://example.org/admin")], epoch: 1 });

function decide(caller: string, action: Action, path: string): string {
  return decidedBy(authorizer.decide(SpiffeId.parse(`spiffe://${caller}`), action, parseSecretPath(path)));
}

function allow(caller: string, action: Action, path: string, by: string): void {
  test(`${caller} may ${action} ${path}`, () => assert.equal(decide(caller, action, path), by));
}

function deny(caller: string, action: Action, path: string): void {
  test(`${caller} may not ${action} ${path}`, () => assert.equal(decide(caller, action, path), "no rule"));
}

// A single rule must allow the action: it must match the caller's ID, the path and the action.
const api = "example.org/ns/shop/sa/api";
allow(api, "read", "shop/api/db", "api reads");
allow(api, "list", "shop/api/a/b/c", "api reads");
allow(api, "read", "shared/tls/public", "api reads");
allow(api, "write", "shop/api/counter", "api writes one");
allow(api, "read", "motd", "all read the motd");
deny(api, "write", "shop/api/db");
deny(api, "delete", "shop/api/db");
deny(api, "list", "motd");
deny(api, "read", "shop/api");
deny(api, "read", "shop/web/db");
deny(api, "read", "shared/tls/private");

// The complete ID is compared: a similar ID, or the same path in another trust domain, does not match.
allow("example.org/ns/shop/sa/web", "read", "motd", "all read the motd");
deny("example.org/ns/shop/sa/web", "read", "shop/api/db");
deny("example.org/ns/shop/sa/api2", "read", "shop/api/db");
deny("example.org/ns/shop/sa/api/x", "read", "shop/api/db");
deny("example.com/ns/shop/sa/api", "read", "shop/api/db");
deny("example.com/ns/shop/sa/api", "read", "motd");

// Names with a special meaning in JavaScript have none here.
allow("__proto__/constructor", "read", "__proto__/a", "hostile");
allow("__proto__/constructor", "delete", "constructor", "hostile");
deny("__proto__/constructor", "read", "__proto__");
deny("example.org/__proto__", "read", "__proto__/a");
deny("example.org/constructor", "delete", "constructor");

// An admin may perform every action. A caller whose ID only begins or ends like an admin's may not.
for (const action of ACTIONS) {
  allow("example.org/admin", action, "shop/api/db", "--admin");
  allow("example.org/admin", action, "x", "--admin");
  deny("example.org/admin/x", action, "shop/api/db");
  deny("example.org/admin2", action, "shop/api/db");
  deny("example.com/admin", action, "shop/api/db");
}

test("a decision has the rule that allows it, or ADMIN", () => {
  const path = parseSecretPath("motd");
  const byRule = authorizer.decide(SpiffeId.parse(`spiffe://${api}`), "read", path);
  assert.deepEqual(byRule, { kind: "allowed", by: POLICY.rules[2] });
  const byAdmin = authorizer.decide(SpiffeId.parse("spiffe://example.org/admin"), "read", path);
  assert.ok(byAdmin.kind === "allowed" && byAdmin.by === ADMIN);
});

// Without rules and admins, no caller may perform any action.
test("an empty policy denies every action", () => {
  const empty = new Authorizer({ policy: { rules: [] }, admins: [], epoch: 1 });
  const caller = SpiffeId.parse(`spiffe://${api}`);
  for (const action of ACTIONS) {
    assert.deepEqual(empty.decide(caller, action, parseSecretPath("shop/api/db")), {
      kind: "denied",
      because: "no rule",
    });
  }
  assert.deepEqual(empty.mayAnywhere(caller, ["list"]), { kind: "denied", because: "no rule" });
});

// A List is allowed to exactly those callers that may list at least one path.
for (const [caller, by] of [
  [api, "api reads"],
  ["example.org/admin", "--admin"],
  ["example.org/ns/shop/sa/web", "no rule"],
  ["__proto__/constructor", "no rule"],
  ["example.com/admin", "no rule"],
] as const) {
  test(`a List by ${caller} is decided by: ${by}`, () => {
    assert.equal(decidedBy(authorizer.mayAnywhere(SpiffeId.parse(`spiffe://${caller}`), ["list"])), by);
  });
}

// The cache of callers is bounded. Removing and adding an entry again changes no decision.
test("more callers than the cache holds get the same decisions every time", () => {
  const policy = policyOf("rules: [{spiffe_ids: [spiffe://example.org/even/*], paths: [motd], actions: [read]}]");
  const many = new Authorizer({ policy, admins: [], epoch: 1 });
  const callers = Array.from({ length: 10_000 }, (_, i) => `spiffe://example.org/${i % 2 ? "odd" : "even"}/${i}`);
  for (const caller of [...callers, ...callers.toReversed()]) {
    const { kind } = many.decide(SpiffeId.parse(caller), "read", parseSecretPath("motd"));
    assert.equal(kind, caller.includes("/even/") ? "allowed" : "denied");
  }
});

// A policy reload creates a new authorizer, which does not use the cache of the old one.
test("a new authorizer decides by its own policy", () => {
  const caller = SpiffeId.parse(`spiffe://${api}`);
  const path = parseSecretPath("motd");
  assert.equal(authorizer.decide(caller, "read", path).kind, "allowed");
  const reloaded = new Authorizer({ policy: { rules: [] }, admins: [], epoch: authorizer.epoch + 1 });
  assert.equal(reloaded.decide(caller, "read", path).kind, "denied");
  assert.equal(reloaded.epoch, 2);
  assert.equal(authorizer.decide(caller, "read", path).kind, "allowed");
});

// The rules and --admin do not apply to the server's own SPIFFE ID. They apply to all other callers, and to this ID if
// the server has another one.
test("the server's own SPIFFE ID is always denied", () => {
  const policy = policyOf(`rules: [{spiffe_ids: ["spiffe://example.org/**"], paths: ["**"], actions: [read, list]}]`);
  const [server, other] = [SpiffeId.parse("spiffe://example.org/coffer"), SpiffeId.parse("spiffe://example.org/other")];
  const path = parseSecretPath("motd");
  for (const [own, admins] of [
    [server, []],
    [server, [server]],
  ] as const) {
    const under = new Authorizer({ policy, admins, server: own, epoch: 1 });
    assert.equal(decidedBy(under.decide(server, "read", path)), "the server's own SPIFFE ID");
    assert.equal(decidedBy(under.mayAnywhere(server, ["list"])), "the server's own SPIFFE ID");
    assert.equal(under.decide(other, "read", path).kind, "allowed");
    const elsewhere = new Authorizer({ policy, admins, server: other, epoch: 2 });
    assert.equal(elsewhere.decide(server, "read", path).kind, "allowed");
  }
});
