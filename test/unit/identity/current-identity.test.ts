import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CurrentIdentity } from "../../../src/identity/current-identity.ts";
import { MaterialError } from "../../../src/spiffe/material-error.ts";
import type { Identity, IdentitySnapshot, IdentitySource, IdentityState } from "../../../src/identity/source.ts";
import { parseSvidDer } from "../../../src/spiffe/svid.ts";
import { whenReady } from "../../../src/identity/when-ready.ts";
import type { CertificateSpec, Issuer } from "../../support/certificate-forge.ts";
import { ManualTimers } from "../../support/manual-timers.ts";
import { bundle, example, ID, NOW, other } from "../../support/chain-world.ts";

const HOUR = 3600_000;
const EXPIRED = `the X.509-SVID of ${ID} expired at ${new Date(NOW + HOUR).toISOString()}`;

function identity(spec: CertificateSpec = {}, ...authorities: Issuer[]): Identity {
  const forged = example.issue({ id: ID, ...spec });
  const cert = { name: "cert", bytes: forged.der };
  const key = { name: "key", bytes: forged.key.privateKey.export({ type: "pkcs8", format: "der" }) };
  const svid = parseSvidDer(cert, key, "server");
  return {
    svid,
    validUntil: svid.notAfter,
    bundles: new Map([["example.org", bundle("example.org", ...authorities)]]),
  };
}

/** A CurrentIdentity that the test drives, and what its listeners received. */
function begin() {
  const timers = new ManualTimers(NOW);
  const current = new CurrentIdentity(timers, "nothing yet");
  const states: IdentityState[] = [];
  const snapshots: IdentitySnapshot[] = [];
  current.onState((state) => states.push(state));
  current.onChange((snapshot) => snapshots.push(snapshot));
  return { timers, current, states, snapshots };
}

const reported = (states: readonly IdentityState[]) => states.map(({ kind, problems }) => [kind, ...problems]);

describe("CurrentIdentity", () => {
  it("is waiting, with a problem, until an identity arrives", () => {
    const { current, states, snapshots } = begin();
    assert.deepEqual(current.state, { kind: "waiting", problems: ["nothing yet"] });
    assert.throws(() => current.snapshot(), new MaterialError("nothing yet"));
    const first = identity({}, example);
    current.adopt(first);
    assert.deepEqual(current.snapshot(), { ...first, generation: 1 });
    assert.deepEqual(reported(states), [["ready"]]);
    assert.deepEqual(snapshots, [current.snapshot()]);
  });

  // A source can receive the same material many times, and listeners may do expensive work.
  it("creates a new snapshot for another SVID or another bundle, and none for the same ones", () => {
    const { current, states, snapshots } = begin();
    const first = identity({}, example, other);
    current.adopt(first);
    current.adopt({ ...first, bundles: identity({}, other, example).bundles });
    assert.equal(snapshots.length, 1);
    assert.equal(states.length, 1);
    current.adopt({ ...first, bundles: identity({}, example).bundles });
    current.adopt(identity({}, example));
    assert.deepEqual(
      snapshots.map(({ generation }) => generation),
      [1, 2, 3],
    );
    assert.equal(states.length, 3);
  });

  it("reports a problem once, again when it changes, and when it is over", () => {
    const { current, states } = begin();
    current.complain("no socket");
    current.complain("no socket");
    current.complain("denied");
    const first = identity({}, example);
    current.adopt(first);
    current.complain("no socket");
    current.complain("no socket");
    current.adopt(first);
    const expected = [["waiting", "no socket"], ["waiting", "denied"], ["ready"], ["ready", "no socket"], ["ready"]];
    assert.deepEqual(reported(states), expected);
    assert.equal(current.snapshot().generation, 1);
  });

  it("keeps an identity until the last millisecond of its validity, and no longer", () => {
    const { timers, current, states } = begin();
    current.adopt(identity({ notAfter: NOW + HOUR }, example));
    current.complain("no socket");
    timers.advance(HOUR);
    assert.equal(current.state.kind, "ready");
    timers.advance(1);
    assert.throws(() => current.snapshot(), new MaterialError(EXPIRED, "no socket"));
    current.complain("denied");
    current.complain("denied");
    current.adopt(identity({ notAfter: NOW + 2 * HOUR }, example));
    assert.equal(current.snapshot().generation, 2);
    assert.deepEqual(reported(states).slice(2), [
      ["waiting", EXPIRED, "no socket"],
      ["waiting", EXPIRED, "denied"],
      ["ready"],
    ]);
    assert.equal(timers.pauses.length, 1);
  });

  it("expires with the newest identity, not with the previous one", () => {
    const { timers, current } = begin();
    current.adopt(identity({ notAfter: NOW + HOUR }, example));
    current.adopt(identity({ notAfter: NOW + 2 * HOUR }, example));
    timers.advance(HOUR + 1);
    assert.equal(current.state.kind, "ready");
    timers.advance(HOUR);
    assert.equal(current.state.kind, "waiting");
  });

  it("fails immediately without an identity, and otherwise when its identity expires", () => {
    const empty = begin();
    empty.current.fail("unsupported");
    assert.deepEqual(reported(empty.states), [["failed", "unsupported"]]);
    const { timers, current, states } = begin();
    current.adopt(identity({ notAfter: NOW + HOUR }, example));
    current.fail("unsupported");
    timers.advance(HOUR + 1);
    assert.deepEqual(reported(states), [["ready"], ["ready", "unsupported"], ["failed", EXPIRED, "unsupported"]]);
  });

  it("calls no listener after it is closed, and has no timer running", () => {
    const { timers, current, states } = begin();
    current.adopt(identity({}, example));
    assert.equal(timers.pauses.length, 1);
    current.close();
    assert.deepEqual(timers.pauses, []);
    current.complain("closing");
    assert.equal(states.length, 1);
  });
});

describe("whenReady", () => {
  function waiting(): { current: CurrentIdentity; source: IdentitySource } {
    const { current } = begin();
    return { current, source: current };
  }

  it("resolves to the first snapshot, whether it is available or arrives later", async () => {
    const { current, source } = waiting();
    const before = whenReady(source);
    current.complain("no socket");
    current.adopt(identity({}, example));
    assert.equal(await before, current.snapshot());
    assert.equal(await whenReady(source), current.snapshot());
  });

  it("rejects with the source's problems if it fails, or if the caller aborts", async () => {
    const failing = waiting();
    const failed = whenReady(failing.source);
    failing.current.fail("unsupported");
    await assert.rejects(failed, new MaterialError("unsupported"));
    const stop = new AbortController();
    const { current, source } = waiting();
    const stopped = whenReady(source, stop.signal);
    current.complain("denied");
    stop.abort();
    await assert.rejects(stopped, new MaterialError("denied"));
    await assert.rejects(whenReady(source, stop.signal), new MaterialError("denied"));
  });
});
