import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ACTIONS, type Action } from "../../src/authorization/action.ts";
import { Authorizer, type AuthorizerOptions } from "../../src/authorization/authorizer.ts";
import { decidedBy } from "../../src/authorization/decision.ts";
import { PathPattern, SpiffeIdPattern } from "../../src/authorization/pattern.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { IdentityMirror, identityMessage } from "../../src/front/identity-mirror.ts";
import { authorizerOf, policyMessage } from "../../src/threads/policy-message.ts";
import { CurrentIdentity } from "../../src/identity/current-identity.ts";
import type { Identity, IdentitySnapshot, IdentityState } from "../../src/identity/source.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { parseSvidDer } from "../../src/spiffe/svid.ts";
import { bundle, example, ID, lowestOf, NOW, other } from "../support/chain-world.ts";
import type { Issuer } from "../support/certificate-forge.ts";
import { ManualTimers } from "../support/manual-timers.ts";
import { segments, wild } from "../support/policy-parts.ts";

const idOf = (path: readonly string[]) => SpiffeId.parse(`spiffe://a/${path.join("/")}`);
const rule = fc
  .record({
    name: fc.string(),
    ids: fc.array(wild, { minLength: 1, maxLength: 2 }),
    paths: fc.array(wild, { minLength: 1, maxLength: 2 }),
    actions: fc.subarray([...ACTIONS], { minLength: 1 }),
  })
  .map(({ name, ids, paths, actions }) => ({
    name,
    spiffeIds: ids.map((id) => SpiffeIdPattern.parse(`spiffe://a/${id.join("/")}`)),
    paths: paths.map((path) => PathPattern.parse(path.join("/"))),
    actions: new Set(actions),
  }));
const authorizerOptions: fc.Arbitrary<AuthorizerOptions> = fc.record({
  policy: fc.record({ rules: fc.array(rule, { maxLength: 6 }) }),
  admins: fc.array(segments.map(idOf), { maxLength: 2 }),
  server: fc.option(segments.map(idOf), { nil: undefined }),
  epoch: fc.nat(),
});
const question = fc.record({ caller: segments, action: fc.constantFrom<Action>(...ACTIONS), path: segments });

// An authorizer made from a posted message answers every question as the original: the decision, the rule that it names,
// and the scope of a List. Callers are allowed, denied, admins and the server itself.
test("a policy that crosses to another thread decides as before", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(authorizerOptions, fc.array(question, { minLength: 1, maxLength: 20 }), (options, asked) => {
      const here = new Authorizer(options);
      const there = authorizerOf(structuredClone(policyMessage(options)));
      assert.equal(there.epoch, here.epoch);
      const callers = [...asked.map(({ caller }) => idOf(caller)), ...options.admins, options.server ?? idOf(["a"])];
      for (const caller of callers) {
        for (const { action, path } of asked) {
          const text = path.join("/");
          const decision = here.decide(caller, action, parseSecretPath(text));
          const mirrored = there.decide(caller, action, parseSecretPath(text));
          assert.deepEqual([mirrored.kind, decidedBy(mirrored)], [decision.kind, decidedBy(decision)]);
          assert.equal(there.mayAnywhere(caller, ["list"]).kind, here.mayAnywhere(caller, ["list"]).kind);
          assert.equal(there.scope(caller, action).atOrAfter(text), here.scope(caller, action).atOrAfter(text));
          seen.add(decision.kind === "denied" ? decision.because : decision.by.name === "--admin" ? "admin" : "rule");
        }
      }
    }),
    { numRuns: 300 },
  );
  assert.deepEqual([...seen].sort(), ["admin", "no rule", "rule", "the server's own SPIFFE ID"]);
});

function identity(issuer: Issuer, authorities: ReadonlyMap<string, readonly Issuer[]>): Identity {
  const forged = issuer.issue({ id: ID });
  const cert = { name: "cert", bytes: Buffer.concat(forged.chain) };
  const key = { name: "key", bytes: forged.key.privateKey.export({ type: "pkcs8", format: "der" }) };
  const svid = parseSvidDer(cert, key, "server");
  const bundles = Array.from(authorities, ([name, issuers]) => [name, bundle(name, ...issuers)] as const);
  return { svid, validUntil: svid.notAfter, bundles: new Map(bundles) };
}

// SVIDs with and without intermediates; bundles of several trust domains, some of them empty.
const identities: readonly Identity[] = [
  identity(example, new Map([["example.org", [example]]])),
  identity(
    lowestOf(2),
    new Map([
      ["example.org", [example, other]],
      ["other.org", [other]],
      ["empty.org", []],
    ]),
  ),
  identity(
    example,
    new Map([
      ["example.org", []],
      ["other.org", [other]],
    ]),
  ),
];
type Step = (source: CurrentIdentity, timers: ManualTimers) => void;
const problem = fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constantFrom(...identities), fc.array(fc.string({ minLength: 1 }), { maxLength: 2 })).map(
    ([adopted, problems]): Step =>
      (source) =>
        source.adopt(adopted, ...problems),
  ),
  problem.map(
    (problems): Step =>
      (source) =>
        source.complain(...problems),
  ),
  problem.map(
    (problems): Step =>
      (source) =>
        source.fail(...problems),
  ),
  fc.constant<Step>((_, timers) => timers.advance(7200_000)),
);

/** What a listener can see of a state, with everything that two equal identities must share. */
function visible(state: IdentityState) {
  if (state.kind !== "ready") return state;
  return { kind: state.kind, problems: state.problems, snapshot: visibleSnapshot(state.snapshot) };
}

function visibleSnapshot({ svid, bundles, generation, validUntil }: IdentitySnapshot) {
  const { id, certPem, keyPem, notBefore, notAfter } = svid;
  const own = { id: id.toString(), certPem, keyPem, notBefore, notAfter, generation, validUntil };
  return {
    ...own,
    bundles: Array.from(bundles, ([name, { authorities }]) => [name, authorities.map(({ der }) => der)]),
  };
}

// After any series of changes, a mirror that receives each state has the state of the source, and its listeners were
// called with the same snapshots and states in the same order.
test("an identity that crosses to another thread is the same, and its listeners get the same", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const timers = new ManualTimers(NOW);
      const source = new CurrentIdentity(timers, "nothing yet");
      const mirror = new IdentityMirror();
      let sent: IdentityState | undefined;
      const send = (state: IdentityState) => {
        mirror.receive(structuredClone(identityMessage(state, sent)));
        sent = state;
      };
      send(source.state);
      const expected: unknown[] = [];
      const mirrored: unknown[] = [];
      source.onChange((snapshot) => expected.push(visibleSnapshot(snapshot)));
      source.onState((state) => expected.push(visible(state)));
      mirror.onChange((snapshot) => mirrored.push(visibleSnapshot(snapshot)));
      mirror.onState((state) => mirrored.push(visible(state)));
      source.onState(send);
      for (const each of steps) each(source, timers);
      assert.deepEqual(visible(mirror.state), visible(source.state));
      assert.deepEqual(mirrored, expected);
      seen.add(mirror.state.kind);
      source.close();
    }),
    { numRuns: 200 },
  );
  assert.deepEqual([...seen].sort(), ["failed", "ready", "waiting"]);
});

// Each message with a private key leaves a copy of it in memory, so a problem of the source must not cause a message.
test("an identity crosses once, however often its problems change", () => {
  const timers = new ManualTimers(NOW);
  const source = new CurrentIdentity(timers, "nothing yet");
  source.adopt(identities[1]!);
  const before = source.state;
  source.complain("a problem");
  const message = identityMessage(source.state, before);
  assert.deepEqual(message, { kind: "ready", snapshot: undefined, problems: ["a problem"] });
  source.adopt(identities[0]!);
  const next = identityMessage(source.state, before);
  assert.ok(next.kind === "ready" && next.snapshot !== undefined);
  source.close();
});

// A message contains the whole memory behind each of its byte arrays. Node shares one memory among many Buffers, so a
// certificate could carry other data of this thread to another one.
test("an identity's message contains no other memory", () => {
  const timers = new ManualTimers(NOW);
  const source = new CurrentIdentity(timers, "nothing yet");
  source.adopt(identities[1]!);
  const message = identityMessage(source.state, undefined);
  const { chain, bundles } = (message.kind === "ready" ? message.snapshot : undefined) ?? assert.fail();
  for (const bytes of [...chain, ...[...bundles.values()].flat()]) assert.equal(bytes.buffer.byteLength, bytes.length);
  source.close();
});
