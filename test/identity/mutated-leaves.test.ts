import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SvidRefused } from "../../src/spiffe/svid-refused.ts";
import { verifySvid } from "../../src/spiffe/verify.ts";
import { LONG } from "../support/long-form.ts";
import { uriName } from "../support/certificate-forge.ts";
import { ID, NOW, TRUST, workload } from "../support/chain-world.ts";
import { mutated, mutations } from "./mutations.ts";

const LEAVES = LONG ? 100_000 : 3000;

// fast-check prints the seed of a failed run; COFFER_TEST_SEED repeats it.
const seed = process.env["COFFER_TEST_SEED"];
const repeatable = seed === undefined ? {} : { seed: Number(seed) };

/** The SPIFFE ID of a leaf; undefined if it is refused. Other errors are thrown. */
function identityOf(chain: readonly Buffer[]): string | undefined {
  try {
    return String(verifySvid(chain, TRUST, NOW, "client").id);
  } catch (error) {
    if (error instanceof SvidRefused) return undefined;
    throw error;
  }
}

/** The URIs that OpenSSL reads in a certificate. */
function uris(der: Buffer): string[] | undefined {
  const names = new X509Certificate(der).subjectAltName?.split(", ");
  return names?.filter((name) => name.startsWith("URI:")).map((name) => name.slice("URI:".length));
}

describe("a leaf with modified bytes", () => {
  // Stronger than any real attack: the CA signs any bytes. The ID of an accepted leaf is also the only one that OpenSSL
  // reads in it, and the bytes of the leaf contain that ID as a URI. No other error than SvidRefused is thrown.
  it("and a valid signature is refused, or has the only ID that OpenSSL reads in it", (t) => {
    const seen = { "accepted as it was": 0, "accepted with another ID": 0, refused: 0 };
    const property = fc.property(mutations, (changes) => {
      const chain = workload({ tamper: (tbs) => mutated(tbs, changes) });
      const id = identityOf(chain);
      seen[id === undefined ? "refused" : id === ID ? "accepted as it was" : "accepted with another ID"]++;
      if (id === undefined) return;
      assert.deepEqual(uris(chain[0]!), [id]);
      assert.ok(chain[0]!.includes(uriName(id)), id);
    });
    fc.assert(property, { numRuns: LEAVES, ...repeatable });
    t.diagnostic(`${LEAVES} leaves: ${JSON.stringify(seen)}`);
    for (const [outcome, count] of Object.entries(seen)) assert.ok(count > 0, outcome);
  });

  // The control: without a change, the same leaf is accepted.
  it("and the signature of the original leaf is refused", () => {
    const [good] = workload({ serial: 1n });
    assert.equal(identityOf([good!]), ID);
    const property = fc.property(mutations, (changes) => {
      const altered = mutated(good!, changes);
      fc.pre(!altered.equals(good!));
      assert.equal(identityOf([altered]), undefined);
    });
    fc.assert(property, { numRuns: LEAVES / 2, ...repeatable });
  });
});
