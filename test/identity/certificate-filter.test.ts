import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NO_FILTER } from "../../src/admission/certificate-filter.ts";
import { MAX_SENT_CERTIFICATES } from "../../src/spiffe/certificate-message.ts";
import { commonName, uriName } from "../support/certificate-forge.ts";
import { example, ID, lowestOf, workload } from "../support/chain-world.ts";
import { costlyCurve, costlyExponent, relativePoints } from "../support/costly-certificates.ts";
import { servePeer } from "./peer-server.ts";
import { bare } from "./peers.ts";

const ACCEPTED = { refused: [], handled: [ID] };

async function reasonsFor(chain: readonly Buffer[], filter?: typeof NO_FILTER): Promise<readonly string[]> {
  const { refused, handled } = await servePeer({ what: "", chain }, bare, filter);
  assert.deepEqual(handled, []);
  return refused.map(({ reason }) => reason);
}

/** A certificate that no path needs, with a subject of its own. */
function additional(publicKeyInfo: Buffer, subject = "additional"): Buffer {
  return example.intermediate({ publicKeyInfo, subject: commonName(subject) }).der;
}

/** Replaces the definite length of the outermost element by an indefinite one, which BER allows and DER does not. */
function indefinite(der: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0x30, 0x80), der.subarray(4), Buffer.of(0, 0)]);
}

// OpenSSL decodes each certificate that a client sends, before the client has proved anything. Some keys cost as much as a
// hundred handshakes, and a message has space for more than a hundred of them.
describe("a certificate with a costly key is refused before OpenSSL decodes it:", () => {
  const valid = workload({}, example.intermediate());
  const [leaf, ...above] = valid;
  assert.ok(leaf);
  const keys = {
    "an EC key with explicit parameters": costlyCurve(),
    "an RSA key with a long exponent": costlyExponent(),
  };
  for (const [what, publicKeyInfo] of Object.entries(keys)) {
    const chains: Readonly<Record<string, readonly Buffer[]>> = {
      leaf: workload({ publicKeyInfo }),
      intermediate: workload({}, example.intermediate({ publicKeyInfo })),
      "additional certificate": [...valid, additional(publicKeyInfo)],
      "additional certificate in the middle": [leaf, additional(publicKeyInfo), ...above],
    };
    for (const [position, chain] of Object.entries(chains)) {
      it(`${what}, as ${position}`, async () => {
        assert.deepEqual(await reasonsFor(chain), ["unacceptable-key"]);
      });
    }

    it(`${what}, in BER with an indefinite length`, async () => {
      const chain = [...valid, indefinite(additional(publicKeyInfo))];
      assert.deepEqual(await reasonsFor(chain), ["malformed-certificate"]);
      // (control) OpenSSL reads BER, so without the filter it decodes the key.
      assert.deepEqual(await servePeer({ what, chain }, bare, NO_FILTER), ACCEPTED);
    });
  }
});

// OpenSSL copies or compares these names before it has found a path, and Node lets it continue if there is none.
describe("names that take OpenSSL too long are refused before it decodes them:", () => {
  const chains: Readonly<Record<string, readonly Buffer[]>> = {
    "a CRL distribution point with a relative name": workload({ extensions: [relativePoints(1)] }),
    "names and name constraints": workload(
      { dns: Array<string>(300).fill("a.example.org") },
      example.intermediate({ excluded: Array<Buffer>(100).fill(uriName("b.example")) }),
    ),
  };
  for (const [what, chain] of Object.entries(chains)) {
    it(what, async () => {
      assert.deepEqual(await reasonsFor(chain), ["too-much-work"]);
      // (control) The chain is valid.
      assert.deepEqual(await servePeer({ what, chain }, bare, NO_FILTER), ACCEPTED);
    });
  }
});

// Additional certificates with ordinary keys are ignored, up to a number that bounds what OpenSSL decodes.
describe("a client that sends", () => {
  const valid = workload({}, example.intermediate());
  const more = (count: number) => Array<Buffer>(count).fill(example.intermediate({ subject: commonName("more") }).der);
  const space = MAX_SENT_CERTIFICATES - valid.length;

  it(`${MAX_SENT_CERTIFICATES} certificates is accepted`, async () => {
    assert.deepEqual(await servePeer({ what: "", chain: [...valid, ...more(space)] }, bare), ACCEPTED);
  });

  it(`${MAX_SENT_CERTIFICATES + 1} certificates is refused`, async () => {
    const chain = [...valid, ...more(space + 1)];
    assert.deepEqual(await reasonsFor(chain), ["chain-too-long"]);
    assert.deepEqual(await servePeer({ what: "", chain }, bare, NO_FILTER), ACCEPTED);
  });
});

// OpenSSL would check all signatures of a longer path.
it("a path that is longer than permitted is refused with the same reason, whatever its length is", async () => {
  for (const depth of [10, MAX_SENT_CERTIFICATES - 1, MAX_SENT_CERTIFICATES, 25]) {
    assert.deepEqual(await reasonsFor(workload({}, lowestOf(depth))), ["chain-too-long"], `${depth} intermediates`);
  }
  assert.deepEqual(await servePeer({ what: "", chain: workload({}, lowestOf(9)) }, bare), ACCEPTED);
});

// The check of one handshake must not change another one: the reason belongs to the connection that failed.
it("handshakes at the same time have their own reasons", async () => {
  const costly = workload({ publicKeyInfo: costlyCurve() });
  const outcomes = await Promise.all(
    Array.from({ length: 24 }, (_, index) => {
      if (index % 3 === 0) return servePeer({ what: "", chain: workload() }, bare).then(({ handled }) => handled);
      return reasonsFor(index % 3 === 1 ? costly : []);
    }),
  );
  for (const [index, outcome] of outcomes.entries()) {
    assert.deepEqual(outcome, [[ID, "unacceptable-key", "no-certificate"][index % 3]], `${index}`);
  }
});
