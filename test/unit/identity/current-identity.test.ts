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

/** A source of which the test plays the outside, and what those who listen have heard. */
function begin() {
  const timers = new ManualTimers(NOW);
  const current = new CurrentIdentity(timers, "nothing yet");
  const states: IdentityState[] = [];
  const snapshots: IdentitySnapshot[] = [];
  current.onState((state) => states.push(state));
  current.onChange((snapshot) => snapshots.push(snapshot));
  return { timers, current, states, snapshots };
}

const told = (states: readonly IdentityState[]) => states.map(({ kind, problems }) => [kind, ...problems]);

describe("CurrentIdentity", () => {
  it("waits, with a reason, until an identity arrives", () => {
    const { current, states, snapshots } = begin();
    assert.deepEqual(current.state, { kind: "waiting", problems: ["nothing yet"] });
    assert.throws(() => current.snapshot(), new MaterialError("nothing yet"));
    const first = identity({}, example);
    current.adopt(first);
    assert.deepEqual(current.snapshot(), { ...first, generation: 1 });
    assert.deepEqual(told(states), [["ready"]]);
    assert.deepEqual(snapshots, [current.snapshot()]);
  });

  // Sources are pushed the same material again and again; whoever listens may do costly things.
  it("makes a new snapshot of another SVID or another bundle, and none of the same ones", () => {
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

  it("tells a problem once, again when it changes, and that it is over", () => {
    const { current, states } = begin();
    current.complain("no socket");
    current.complain("no socket");
    current.complain("denied");
    const first = identity({}, example);
    current.adopt(first);
    current.complain("no socket");
    current.complain("no socket");
    current.adopt(first);
    const heard = [["waiting", "no socket"], ["waiting", "denied"], ["ready"], ["ready", "no socket"], ["ready"]];
    assert.deepEqual(told(states), heard);
    assert.equal(current.snapshot().generation, 1);
  });

  it("keeps an identity to the last millisecond of its validity, and no longer", () => {
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
    assert.deepEqual(told(states).slice(2), [
      ["waiting", EXPIRED, "no socket"],
      ["waiting", EXPIRED, "denied"],
      ["ready"],
    ]);
    assert.equal(timers.pauses.length, 1);
  });

  it("follows the newest identity's validity, not that of one before it", () => {
    const { timers, current } = begin();
    current.adopt(identity({ notAfter: NOW + HOUR }, example));
    current.adopt(identity({ notAfter: NOW + 2 * HOUR }, example));
    timers.advance(HOUR + 1);
    assert.equal(current.state.kind, "ready");
    timers.advance(HOUR);
    assert.equal(current.state.kind, "waiting");
  });

  it("fails at once when there is nothing, and at the end of its life when there is an identity", () => {
    const empty = begin();
    empty.current.fail("unsupported");
    assert.deepEqual(told(empty.states), [["failed", "unsupported"]]);
    const { timers, current, states } = begin();
    current.adopt(identity({ notAfter: NOW + HOUR }, example));
    current.fail("unsupported");
    timers.advance(HOUR + 1);
    assert.deepEqual(told(states), [["ready"], ["ready", "unsupported"], ["failed", EXPIRED, "unsupported"]]);
  });

  it("tells nobody anything once it is closed, and leaves no timer behind", () => {
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

  it("gives the first snapshot, whether it is there or still to come", async () => {
    const { current, source } = waiting();
    const before = whenReady(source);
    current.complain("no socket");
    current.adopt(identity({}, example));
    assert.equal(await before, current.snapshot());
    assert.equal(await whenReady(source), current.snapshot());
  });

  it("rejects with the source's problems when it fails, or when the caller waits no longer", async () => {
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
