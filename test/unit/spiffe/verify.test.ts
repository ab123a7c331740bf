import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { SvidRefused } from "../../../src/spiffe/svid-refused.ts";
import { type VerifiedSvid, verifyAgain, verifySvid } from "../../../src/spiffe/verify.ts";
import { type Case, example, forge, ID, NOW, other, TRUST, trust, workload } from "../../support/chain-world.ts";
import { HONEST } from "../../support/honest-chains.ts";
import { HOSTILE } from "../../support/hostile-chains.ts";

function verify({ chain, bundles = TRUST, now = NOW, purpose = "client" }: Omit<Case, "what">): VerifiedSvid {
  return verifySvid(chain, bundles, now, purpose);
}

function refusal(hostile: Omit<Case, "what">): SvidRefused | undefined {
  try {
    verify(hostile);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof SvidRefused, String(error));
    return error;
  }
}

/** A row, once for each purpose that it applies to. */
function forEachPurpose<Row extends Case>(row: Row): readonly Row[] {
  return row.purpose ? [row] : (["client", "server"] as const).map((purpose) => ({ ...row, purpose }));
}

describe("verifySvid accepts", () => {
  for (const honest of HONEST.flatMap(forEachPurpose)) {
    it(`${honest.what} (${honest.purpose})`, () => {
      const { id, chain } = verify(honest);
      assert.deepEqual(chain[0], honest.chain[0]);
      assert.equal(new X509Certificate(chain[0]!).subjectAltName?.split(", ").includes(`URI:${id}`), true);
    });
  }
});

// The positive control for all cases: the unmodified chain of the same workload is accepted with the same bundles.
for (const [aspect, cases] of Object.entries(HOSTILE)) {
  describe(`verifySvid refuses because of ${aspect}:`, () => {
    it("(control) accepts the unmodified chain", () => {
      assert.equal(String(verify({ chain: workload() }).id), ID);
    });
    for (const hostile of cases.flatMap(forEachPurpose)) {
      it(`${hostile.what} (${hostile.purpose}, ${hostile.reason})`, () => {
        assert.equal(refusal(hostile)?.reason, hostile.reason, refusal(hostile)?.message);
      });
    }
  });
}

describe("a verified SVID", () => {
  it("is valid until the first certificate of its path expires", () => {
    const soon = NOW + 60_000;
    const later = NOW + 120_000;
    assert.equal(verify({ chain: workload({ notAfter: soon }) }).validUntil, soon);
    const intermediate = example.intermediate({ notAfter: soon });
    assert.equal(verify({ chain: workload({ notAfter: later }, intermediate) }).validUntil, soon);
    const authority = forge.ca(undefined, { notAfter: soon });
    assert.equal(
      verify({ chain: workload({ notAfter: later }, authority), bundles: trust(authority) }).validUntil,
      soon,
    );
  });

  // A server keeps a verified SVID for each of thousands of connections. Parsed certificates and keys would take twelve
  // kilobytes for each connection.
  it("has only the bytes of its path, and those of the CA at its end", () => {
    const chain = workload({}, example.intermediate());
    const sent = [...chain, example.intermediate().der];
    const { id, validUntil, ...kept } = verify({ chain: sent, bundles: trust(other, example) });
    assert.deepEqual(kept, { authority: example.der, chain });
  });
});

describe("verifyAgain, after a change of the bundles", () => {
  // Thousands of connections are verified again when a single CA is replaced, and most of them are not affected.
  it("accepts a path without checking a signature while its CA is in the bundle", () => {
    const proven = verify({ chain: workload() });
    assert.equal(verifyAgain(proven, trust(example, forge.ca("spiffe://example.org")), NOW, "client"), proven);
  });

  it("accepts a path to another CA that verifies the same chain", () => {
    const again = forge.ca("spiffe://example.org", { key: example.key, notAfter: NOW + 60_000 });
    const proven = verify({ chain: workload() });
    const next = verifyAgain(proven, trust(again), NOW, "client");
    assert.deepEqual(next.authority, again.der);
    assert.equal(next.validUntil, NOW + 60_000);
  });

  it("refuses a path whose CA or trust domain was removed", () => {
    const proven = verify({ chain: workload({}, example.intermediate()) });
    const verdict = (bundles: Case["bundles"]) => () => verifyAgain(proven, bundles!, NOW, "client");
    assert.throws(verdict(trust(forge.ca("spiffe://example.org"))), { reason: "untrusted" });
    assert.throws(verdict(new Map()), { reason: "no-bundle" });
    // The same CA in the bundle of another trust domain verifies no SVID of this one.
    assert.throws(verdict(new Map([["other.org", TRUST.get("example.org")!]])), { reason: "no-bundle" });
  });
});

describe("a refusal", () => {
  it("contains the claimed ID if the leaf has exactly one that parses", () => {
    assert.equal(String(refusal({ chain: workload({ ca: true }) })?.claimed), ID);
    assert.equal(String(refusal({ chain: workload(), bundles: new Map() })?.claimed), ID);
    assert.equal(refusal({ chain: workload({ uris: [ID, ID] }) })?.claimed, undefined);
    assert.equal(refusal({ chain: workload({ uris: [`${ID}\n`] }) })?.claimed, undefined);
    assert.equal(refusal({ chain: [Buffer.from("junk")] })?.claimed, undefined);
  });

  // A refused peer must not be able to forge log lines.
  it("contains nothing that could break a log line", () => {
    for (const hostile of Object.values(HOSTILE).flat()) {
      const refused = refusal(hostile);
      assert.match(refused?.message ?? "", /^[\x20-\x7e]{1,250}$/, hostile.what);
    }
  });
});
