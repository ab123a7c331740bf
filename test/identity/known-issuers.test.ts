import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TLSSocket } from "node:tls";
import type { X509Certificate } from "node:crypto";
import { type CertificateSpec, commonName, extension, newKey } from "../support/certificate-forge.ts";
import { element, octetString, sequence } from "../support/der-writer.ts";
import { MAX_SIGNATURE_CHECKS } from "../../src/spiffe/path-search.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { bundle, example, forge, ID, NOW, other, TRUST, trust, workload } from "../support/chain-world.ts";
import { type CertificateFilter, NO_FILTER } from "../../src/admission/certificate-filter.ts";
import { FILTER } from "../support/loaded-filter.ts";
import { servePeers } from "./peer-server.ts";
import { bare } from "./peers.ts";

/** How often the certificates above a leaf were read in this process. */
let reads = 0;
const original = TLSSocket.prototype.getPeerX509Certificate;

before(() => {
  TLSSocket.prototype.getPeerX509Certificate = function counted(this: TLSSocket): X509Certificate | undefined {
    reads += 1;
    return original.call(this);
  };
});
after(() => {
  TLSSocket.prototype.getPeerX509Certificate = original;
});

/** A server without the filter, which refuses chains of more certificates than a search checks signatures. */
const UNFILTERED = { filter: NO_FILTER };

/**
 * The verdicts of one server on these chains, presented one after the other, and how often it read a chain.
 */
async function inTurn(
  { filter = FILTER, ...row }: Parameters<typeof servePeers>[0] & { readonly filter?: CertificateFilter },
  ...chains: readonly (readonly Buffer[])[]
) {
  const before = reads;
  const shown = chains.map((chain) => ({ chain }));
  const replies = await servePeers(row, shown, bare, filter);
  const verdicts = replies.map(({ refused, handled }) => [...refused.map(({ reason }) => reason), ...handled].join());
  return { verdicts, reads: reads - before };
}

describe("over TLS, one server", () => {
  // Node never frees the certificates of a chain that it has returned.
  it("reads no chain of a leaf below a CA of the bundle, and only the first chain below an intermediate", async () => {
    const intermediate = example.intermediate();
    const extra = [example.intermediate({ subject: commonName("extra") }).der, other.der];
    const direct = await inTurn({}, workload(), [...workload(), ...extra]);
    assert.deepEqual(direct, { verdicts: [ID, ID], reads: 0 });
    const below = await inTurn({}, workload({}, intermediate), workload({}, intermediate), [
      ...workload({}, intermediate),
      ...extra,
    ]);
    assert.deepEqual(below, { verdicts: [ID, ID, ID], reads: 1 });
  });

  // An unauthenticated client can present such chains, as often as the handshake rate allows.
  it("reads no chain without a path to a CA", async () => {
    const rogue = forge.ca("spiffe://example.org");
    const chains = [workload({}, rogue.intermediate()), [...workload({}, rogue), rogue.der, example.der], []];
    assert.deepEqual(await inTurn({}, ...chains), { verdicts: ["untrusted", "untrusted", "no-certificate"], reads: 0 });
  });

  // Otherwise the same chain would be refused after a restart.
  it("refuses a leaf without its intermediate, even if it knows the intermediate", async () => {
    const [leaf, intermediate] = workload({}, example.intermediate());
    const { verdicts } = await inTurn({}, [leaf!], [leaf!, intermediate!], [leaf!], [leaf!, intermediate!]);
    assert.deepEqual(verdicts, ["untrusted", ID, "untrusted", ID]);
  });

  it("does not use a known intermediate of one trust domain for another", async () => {
    const shared = example.intermediate();
    const [stolen] = workload({ id: "spiffe://other.org/api" }, shared);
    const honest = workload({}, shared);
    assert.deepEqual((await inTurn({}, honest, [stolen!, honest[1]!], honest)).verdicts, [ID, "untrusted", ID]);
  });

  // Each search considers all known intermediates with that name.
  it("distinguishes intermediates with the same name by key identifier or by key", async () => {
    for (const keyIds of [true, false]) {
      const chains = Array.from({ length: 5 }, () => workload({}, example.intermediate({ keyIds })));
      const { verdicts, reads } = await inTurn({}, ...chains, ...chains);
      assert.deepEqual([new Set(verdicts), reads], [new Set([ID]), 5]);
    }
  });

  it("accepts a renewed intermediate with the key of an expired one, but not the expired one", async () => {
    const key = newKey("P-256");
    const renewed = example.intermediate({ key });
    const expired = example.intermediate({ key, notAfter: NOW - 60_000 });
    const leaf = workload({}, renewed)[0]!;
    const chains = [
      [leaf, expired.der],
      [leaf, renewed.der],
      [leaf, expired.der],
      [leaf, renewed.der, expired.der],
    ];
    assert.deepEqual((await inTurn({}, ...chains)).verdicts, ["expired", ID, "expired", ID]);
  });

  it("accepts an intermediate that two CAs of its trust domain have signed, by either CA", async () => {
    const second = forge.ca("spiffe://example.org", { subject: commonName("second") });
    const key = newKey("P-256");
    const [byFirst, bySecond] = [example, second].map((ca) => ca.intermediate({ key }));
    const leaf = workload({}, byFirst)[0]!;
    const row = { bundles: trust(example, second) };
    const chains = [[leaf, byFirst!.der], [leaf, bySecond!.der], [leaf, bySecond!.der, byFirst!.der], [leaf]];
    assert.deepEqual((await inTurn(row, ...chains)).verdicts, [ID, ID, ID, "untrusted"]);
  });

  // The only case in which earlier connections influence the verdict, see docs/identity.md. The peer has a valid SVID.
  it("accepts a leaf sent with an intermediate that another trust domain signed, if it knows the right intermediate", async () => {
    const elsewhere = forge.ca("spiffe://other.org", { subject: commonName("elsewhere") });
    const key = newKey("P-256");
    const right = example.intermediate({ key });
    const wrong = elsewhere.intermediate({ key });
    const leaf = workload({}, right)[0]!;
    const row = { bundles: new Map([...TRUST, ["other.org", bundle("other.org", elsewhere)]]) };
    const cold = await inTurn(row, [leaf, wrong.der]);
    const warm = await inTurn(row, [leaf, right.der], [leaf, wrong.der]);
    assert.deepEqual([cold.verdicts, warm.verdicts], [["untrusted"], [ID, ID]]);
  });

  it("accepts certificates in any order, the leaf first, and duplicates", async () => {
    const upper = example.intermediate({ subject: commonName("upper") });
    const lower = upper.intermediate({ subject: commonName("lower") });
    const [leaf, ...rest] = workload({}, lower);
    for (const order of [rest, rest.toReversed(), [...rest, ...rest], [other.der, ...rest.toReversed(), leaf!]]) {
      assert.deepEqual(await inTurn({}, [leaf!, ...order]), { verdicts: [ID], reads: 1 });
    }
    assert.deepEqual((await inTurn({}, [rest[0]!, leaf!, rest[1]!])).verdicts, ["handshake-failed"]);
  });

  // OpenSSL skips each of these certificates. If the verifier checked a signature with each, it would reach its limit
  // before the real issuer, and one workload could cause the refusal of the chains of all others below that issuer.
  it("finds the path although a workload adds certificates with the name and the key identifier of an issuer", async () => {
    const intermediate = example.intermediate();
    const [leaf] = workload({}, intermediate);
    for (const keyType of ["rsa-2048", "ed25519"] as const) {
      const lookalikes = lookalikesOf(intermediate.spec.subject!, leaf!, { key: newKey(keyType) });
      assert.deepEqual((await inTurn(UNFILTERED, [leaf!, ...lookalikes, intermediate.der])).verdicts, [ID], keyType);
    }
    const bare = example.intermediate({ keyIds: false });
    const [below] = workload({}, bare);
    const lookalikes = lookalikesOf(bare.spec.subject!, below!);
    assert.deepEqual((await inTurn(UNFILTERED, [below!, bare.der, ...lookalikes])).verdicts, [ID]);
  });

  it("finds the path although a workload adds certificates with the name of a CA that has no key identifier", async () => {
    const authority = forge.ca("spiffe://example.org", { keyIds: false, subject: commonName("bare") });
    const chain = workload({}, authority.intermediate());
    const lookalikes = lookalikesOf(commonName("bare"), chain[1]!);
    assert.deepEqual((await inTurn({ ...UNFILTERED, bundles: trust(authority) }, [...chain, ...lookalikes])).verdicts, [
      ID,
    ]);
  });

  // OpenSSL compares the issuer's serial number as well, so it skips certificates that the verifier tries.
  it("refuses a workload whose additional certificates take too much work, and accepts another one of its issuer", async () => {
    const intermediate = example.intermediate({ serial: 77n });
    const { keyId } = parseCertificate(intermediate.der);
    const bySerial = extension(
      "2.5.29.35",
      false,
      sequence(element(0x80, keyId!), ...serialOf(example.spec.subject!, 77)),
    );
    const spec = { keyIds: false, extensions: [bySerial] };
    const [leaf] = workload(spec, intermediate);
    const attack = [leaf!, ...lookalikesOf(intermediate.spec.subject!, leaf!), intermediate.der];
    const sibling = workload({ ...spec, id: "spiffe://example.org/sibling" }, intermediate);
    const { verdicts } = await inTurn(UNFILTERED, attack, attack, sibling);
    assert.deepEqual(verdicts, ["too-much-work", "chain-not-read", "spiffe://example.org/sibling"]);
    const filtered = await inTurn({}, attack, attack, sibling);
    assert.deepEqual(filtered.verdicts, ["chain-too-long", "chain-too-long", "spiffe://example.org/sibling"]);
  });
});

/** MAX_SIGNATURE_CHECKS CA certificates, each with the name and the key identifier of the issuer of `child`. */
function lookalikesOf(subject: Buffer, child: Buffer, spec: CertificateSpec = {}): Buffer[] {
  const rogue = forge.ca("spiffe://example.org");
  const keyId = extension("2.5.29.14", false, octetString(parseCertificate(child).issuerKeyId!));
  const all = { subject, keyIds: false, extensions: [keyId], ...spec };
  return Array.from({ length: MAX_SIGNATURE_CHECKS }, () => rogue.intermediate(all).der);
}

/** The fields authorityCertIssuer and authorityCertSerialNumber of an authority key identifier (RFC 5280 4.2.1.1). */
function serialOf(issuer: Buffer, serial: number): Buffer[] {
  return [element(0xa1, element(0xa4, issuer)), element(0x82, Buffer.of(serial))];
}
