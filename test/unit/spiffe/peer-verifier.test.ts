import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_READS, READS_PER_MINUTE } from "../../../src/spiffe/chain-reads.ts";
import { KnownIntermediates, MAX_KNOWN_INTERMEDIATES } from "../../../src/spiffe/known-intermediates.ts";
import { PeerVerifier, type ShownChain } from "../../../src/spiffe/peer-verifier.ts";
import { SvidRefused } from "../../../src/spiffe/svid-refused.ts";
import { parseCertificate } from "../../../src/x509/certificate.ts";
import type { Issuer } from "../../support/certificate-forge.ts";
import { commonName, extension } from "../../support/certificate-forge.ts";
import { bundle, example, forge, ID, NOW, other, TRUST, trust, workload } from "../../support/chain-world.ts";

const MINUTE = 60_000;

/** A verifier, and a count of how often it reads the certificates after the leaf. */
class Verifier {
  readonly verifier = new PeerVerifier("client");
  reads = 0;

  constructor(bundles = TRUST) {
    this.verifier.follow(bundles);
  }

  /** The SPIFFE ID of a peer, or the reason why it is refused. */
  verdict(chain: readonly Uint8Array[], now = NOW, objection?: ShownChain["objection"]): string {
    const [leaf, ...rest] = chain;
    const readRest = () => {
      this.reads += 1;
      return rest;
    };
    try {
      return this.verifier.verify({ objection, leaf, readRest }, now).id.toString();
    } catch (error) {
      assert.ok(error instanceof SvidRefused, String(error));
      return error.reason;
    }
  }
}

/** The chain of a workload below a new intermediate. All of these intermediates have the same name, each its own key. */
function fresh(issuer: Issuer = example): readonly Buffer[] {
  return workload({}, issuer.intermediate());
}

describe("a peer verifier", () => {
  it("reads the chain of an unknown issuer once, and again when the bundle has changed", () => {
    const verifier = new Verifier();
    const chain = fresh();
    assert.deepEqual([verifier.verdict(chain), verifier.verdict(chain), verifier.reads], [ID, ID, 1]);
    // A snapshot with the same CAs in new objects, as after a renewal of the server's own SVID.
    verifier.verifier.follow(new Map([...trust(example), ["other.org", bundle("other.org", other)]]));
    assert.deepEqual([verifier.verdict(chain), verifier.reads], [ID, 1]);
    verifier.verifier.follow(trust(example, forge.ca("spiffe://example.org")));
    assert.deepEqual([verifier.verdict(chain), verifier.reads], [ID, 2]);
  });

  it("removes known issuers when the CA above them is removed", () => {
    const verifier = new Verifier();
    const chain = fresh();
    verifier.verdict(chain);
    verifier.verifier.follow(trust(forge.ca("spiffe://example.org")));
    assert.equal(verifier.verdict(chain), "untrusted");
    verifier.verifier.follow(new Map());
    assert.equal(verifier.verdict(chain), "no-bundle");
  });

  it("removes a known issuer when it has expired", () => {
    const verifier = new Verifier();
    const chain = workload({}, example.intermediate({ notAfter: NOW + 1000 }));
    assert.equal(verifier.verdict(chain, NOW + 1000), ID);
    assert.equal(verifier.verdict(chain, NOW + 1001), "expired");
    // The chain is read again, because it may contain a renewed intermediate.
    assert.equal(verifier.reads, 2);
  });

  it("refuses what OpenSSL objects to, even below a known issuer; a fault of the leaf determines the reason", () => {
    const verifier = new Verifier();
    const [leaf, intermediate] = fresh();
    verifier.verdict([leaf!, intermediate!]);
    const object = (code: string) => ({ code, message: "in words" });
    assert.equal(verifier.verdict([leaf!], NOW, object("UNABLE_TO_GET_ISSUER_CERT_LOCALLY")), "untrusted");
    assert.equal(verifier.verdict([leaf!], NOW, object("CERT_HAS_EXPIRED")), "expired");
    assert.equal(verifier.verdict(workload({ ca: true }), NOW, object("INVALID_CA")), "leaf-is-ca");
    assert.equal(verifier.verdict([], NOW, object("UNABLE_TO_GET_ISSUER_CERT")), "no-certificate");
    assert.equal(verifier.reads, 1);
  });

  // OpenSSL has no objection to these chains: it can't distinguish trust domains.
  it("accepts no peer by a CA or an intermediate of another trust domain", () => {
    const verifier = new Verifier();
    const id = "spiffe://other.org/api";
    const shared = example.intermediate();
    assert.equal(verifier.verdict(workload({}, shared)), ID);
    assert.equal(verifier.verdict(workload({ id }, shared)), "untrusted");
    assert.equal(verifier.verdict(workload({ id }, example)), "untrusted");
    assert.equal(verifier.verdict(workload({ id }, other)), id);
  });
});

describe("the chains of one trust domain", () => {
  // Each chain that is read leaks memory. Other trust domains and known issuers are not affected by the limit.
  it("are read up to a limit without a pause, and then a few in each minute", () => {
    const verifier = new Verifier();
    const known = fresh();
    assert.equal(verifier.verdict(known), ID);
    for (let minted = 1; minted < MAX_READS; minted++) assert.equal(verifier.verdict(fresh()), ID);
    assert.equal(verifier.verdict(fresh()), "chain-not-read");
    assert.equal(verifier.verdict(known), ID);
    assert.equal(
      verifier.verdict(workload({ id: "spiffe://other.org/api" }, other.intermediate())),
      "spiffe://other.org/api",
    );
    for (let minted = 0; minted < READS_PER_MINUTE; minted++) assert.equal(verifier.verdict(fresh(), NOW + MINUTE), ID);
    assert.equal(verifier.verdict(fresh(), NOW + MINUTE), "chain-not-read");
    // A clock that is set back and forth adds no reads.
    assert.equal(verifier.verdict(fresh(), NOW), "chain-not-read");
    assert.equal(verifier.reads, MAX_READS + READS_PER_MINUTE + 1);
  });

  // Hundreds of workloads below the issuer can reconnect continuously, and would use up the reads that new
  // intermediates need.
  it("are read once a minute below an issuer after one of its chains was refused", () => {
    const verifier = new Verifier();
    const bad = example.intermediate({ subject: commonName("bad"), keyUsage: null });
    const verdicts = Array.from({ length: 1000 }, () => verifier.verdict(workload({}, bad)));
    assert.deepEqual(
      [verdicts[0], new Set(verdicts.slice(1)), verifier.reads],
      ["issuer-not-ca", new Set(["chain-not-read"]), 1],
    );
    assert.equal(verifier.verdict(fresh()), ID);
    assert.equal(verifier.verdict(workload({}, bad), NOW + MINUTE), "issuer-not-ca");
  });

  // OpenSSL verifies a handshake with the bundles at its start, and the verifier with the newest ones.
  it("are read again below a refused issuer when its CA is in the bundle again", () => {
    const verifier = new Verifier(trust(forge.ca("spiffe://example.org")));
    const chain = fresh();
    assert.deepEqual([verifier.verdict(chain), verifier.verdict(chain)], ["untrusted", "chain-not-read"]);
    verifier.verifier.follow(trust(example));
    assert.equal(verifier.verdict(chain), ID);
  });
});

describe("known intermediates", () => {
  const trusted = bundle("example.org", example);
  const intermediates = Array.from({ length: MAX_KNOWN_INTERMEDIATES + 1 }, (_, serial) =>
    parseCertificate(example.intermediate({ key: example.key, serial: BigInt(serial + 1) }).der),
  );

  it("are bounded for each trust domain, and the least recently used are removed first", () => {
    const known = new KnownIntermediates();
    const elsewhere = bundle("other.org", other);
    known.add(elsewhere, intermediates.slice(0, 1));
    known.add(trusted, intermediates.slice(0, -1));
    known.add(trusted, intermediates.slice(0, 1));
    known.add(trusted, intermediates.slice(-1));
    const kept = known.of(trusted, NOW);
    assert.equal(kept.length, MAX_KNOWN_INTERMEDIATES);
    assert.deepEqual([kept[0], kept[1]], [intermediates.at(-1), intermediates[0]]);
    assert.equal(kept.includes(intermediates[1]!), false);
    assert.equal(known.of(elsewhere, NOW).length, 1);
  });
});

// A peer can add certificates to a chain that OpenSSL accepts. If they used up the limit of signature checks, the same
// leaf would be refused when its chain is read and accepted when its issuer is known.
it("a peer verifier finds the actual issuer among certificates that have its name but may not issue", () => {
  const subject = commonName("issuer");
  const real = example.intermediate({ subject, keyIds: false });
  const [leaf, ...above] = workload({ keyIds: false }, real);
  const unfit = [
    { keyUsage: [6] },
    { notAfter: NOW - 1000 },
    { ca: false },
    { extensions: [extension("1.3.6.1.4.1.99999.1", true, Buffer.from([5, 0]))] },
  ];
  const extra = Array.from({ length: 40 }, (_, number) =>
    example.intermediate({ subject, keyIds: false, ...unfit[number % unfit.length] }),
  );
  const verifier = new Verifier();
  assert.equal(verifier.verdict([leaf!, ...extra.map(({ der }) => der), ...above]), ID);
});
