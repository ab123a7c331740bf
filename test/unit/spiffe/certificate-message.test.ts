import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  MAX_NAME_COMPARISONS,
  MAX_SENT_CERTIFICATES,
  messageProblem,
} from "../../../src/spiffe/certificate-message.ts";
import { parseDer } from "../../../src/x509/der.ts";
import { example, ID, workload } from "../../support/chain-world.ts";
import { dnsName, extension, uriName } from "../../support/certificate-forge.ts";
import { bitString, element, integer, nameAttribute, octetString, oid, sequence } from "../../support/der-writer.ts";
import { costlyCurve } from "../../support/costly-certificates.ts";

/** A Certificate message (RFC 8446 4.4.2) with an empty context, and with these bytes as its certificates. */
function message(certificates: readonly Uint8Array[], extensions = Buffer.of(0, 0)): Buffer {
  const entries = certificates.map((der) => Buffer.concat([number(3, der.length), der, extensions]));
  const list = Buffer.concat(entries);
  const body = Buffer.concat([Buffer.of(0), number(3, list.length), list]);
  return Buffer.concat([Buffer.of(11), number(3, body.length), body]);
}

function number(bytes: number, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}

function withKey(publicKeyInfo: Buffer): Buffer {
  return example.issue({ id: ID, publicKeyInfo }).der;
}

/** The SubjectPublicKeyInfo of an RSA key (RFC 3279 2.3.1) whose modulus has this length. Its primes do not matter. */
function rsa(bits: number, exponent: bigint): Buffer {
  const key = sequence(integer(2n ** BigInt(bits - 1) + 1n), integer(exponent));
  return sequence(sequence(oid("1.2.840.113549.1.1.1"), element(0x05)), bitString(key));
}

const reasonOf = (bytes: Buffer) => messageProblem(bytes)?.reason;
const [leaf] = workload();
assert.ok(leaf);
const costly = example.issue({ id: ID, publicKeyInfo: costlyCurve() }).der;

describe("a Certificate message", () => {
  it("may be decoded if each certificate has a key of an accepted kind", () => {
    assert.equal(reasonOf(message([])), undefined);
    assert.equal(reasonOf(message([leaf])), undefined);
    assert.equal(reasonOf(message(workload({}, example.intermediate()))), undefined);
    assert.equal(reasonOf(message([leaf], Buffer.of(0, 1, 7))), undefined);
    for (const keyType of ["P-256", "P-384", "P-521", "ed25519", "rsa-2048"] as const)
      assert.equal(reasonOf(message([example.issue({ id: ID, keyType }).der])), undefined, keyType);
    assert.equal(reasonOf(message([withKey(rsa(8192, 2n ** 31n - 1n))])), undefined);
  });

  it("must not be decoded if any certificate has another key", () => {
    assert.equal(reasonOf(message([leaf, withKey(rsa(8200, 65_537n))])), "unacceptable-key");
    assert.equal(reasonOf(message([leaf, withKey(rsa(2048, 2n ** 32n + 1n))])), "unacceptable-key");
    for (const keyType of ["secp256k1", "ed448"] as const)
      assert.equal(reasonOf(message([leaf, example.issue({ id: ID, keyType }).der])), "unacceptable-key", keyType);
    assert.equal(reasonOf(message([costly, leaf])), "unacceptable-key");
  });

  it("has a limited number of certificates", () => {
    assert.equal(reasonOf(message(Array<Buffer>(MAX_SENT_CERTIFICATES).fill(leaf))), undefined);
    assert.equal(reasonOf(message(Array<Buffer>(MAX_SENT_CERTIFICATES + 1).fill(leaf))), "chain-too-long");
  });

  it("must not be decoded if it ends early", () => {
    const whole = message([leaf, leaf]);
    assert.equal(reasonOf(whole), undefined);
    for (let length = 4; length < whole.length; length++)
      assert.equal(reasonOf(whole.subarray(0, length)), "malformed-certificate", `${length} of ${whole.length} bytes`);
  });
});

const crlPoints = (...points: readonly Buffer[]) => extension("2.5.29.31", false, sequence(...points));
const POINT = sequence(element(0xa0, element(0xa0, uriName("http://crl.example.org/"))));
const RELATIVE_POINT = sequence(element(0xa0, element(0xa1, sequence(oid("2.5.4.3"), element(0x0c)))));

// OpenSSL copies the issuer's name for each, before it has found a path. With 2000 attributes and 1500 names, a message of 45 kB
// took six seconds and 400 MB.
describe("a CRL distribution point", () => {
  const withPoints = (...extensions: readonly Buffer[]) => example.issue({ id: ID, extensions }).der;

  it("with a full name may be decoded", () => {
    assert.equal(reasonOf(message([withPoints(crlPoints(POINT))])), undefined);
  });

  it("with a relative name must not be decoded", () => {
    for (const extensions of [
      [crlPoints(RELATIVE_POINT)],
      [crlPoints(POINT, RELATIVE_POINT)],
      [crlPoints(POINT), crlPoints(RELATIVE_POINT)],
    ]) {
      const costlyPoints = withPoints(...extensions);
      assert.ok(new X509Certificate(costlyPoints), "OpenSSL reads it");
      assert.equal(reasonOf(message([leaf, costlyPoints])), "too-much-work");
    }
  });

  it("in BER must not be decoded", () => {
    const value = sequence(Buffer.concat([Buffer.of(0x30, 0x80), RELATIVE_POINT.subarray(2), Buffer.of(0, 0)]));
    const inPieces = sequence(oid("2.5.29.31"), element(0x24, octetString(sequence(RELATIVE_POINT))));
    for (const points of [extension("2.5.29.31", false, value), inPieces]) {
      const costlyPoints = withPoints(points);
      assert.ok(new X509Certificate(costlyPoints), "OpenSSL reads it");
      assert.equal(reasonOf(message([costlyPoints])), "malformed-certificate");
    }
  });
});

// OpenSSL compares each name with each constraint of the CAs above it, before it has found a path to a CA that it trusts.
it("the names multiplied by the name constraints are limited", () => {
  const subtrees = 50;
  const ca = example.intermediate({ excluded: Array<Buffer>(subtrees).fill(dnsName("b")) });
  const withNames = (count: number) => workload({ dns: Array<string>(count).fill("a") }, ca);
  // The subjects of both have attributes, and the leaf also has its SPIFFE ID.
  const space = MAX_NAME_COMPARISONS / subtrees - 4;
  assert.equal(reasonOf(message(withNames(space))), undefined);
  assert.equal(reasonOf(message(withNames(space + 1))), "too-much-work");
  const attributes = sequence(...Array<Buffer>(space).fill(nameAttribute("1.2.840.113549.1.9.1", "a@a")));
  assert.equal(reasonOf(message(workload({ subject: attributes }, ca))), undefined);
  assert.equal(reasonOf(message(workload({ subject: attributes, dns: ["a", "a", "a"] }, ca))), "too-much-work");
});

// An unauthenticated client chooses every byte. An error that the check does not expect would be an internal one.
it("any change of a message has an outcome", () => {
  const whole = message([leaf, costly, leaf]);
  const seen = new Set<string | undefined>();
  const change = fc.record({ at: fc.nat(whole.length - 5), to: fc.nat(255), end: fc.nat(whole.length) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.boolean(), (changes, cut) => {
      const bytes = Buffer.from(whole);
      for (const { at, to } of changes) bytes[4 + at] = to;
      seen.add(reasonOf(cut ? bytes.subarray(0, Math.max(4, changes[0]?.end ?? 4)) : bytes));
    }),
    { numRuns: 3000 },
  );
  assert.ok(seen.has("malformed-certificate") && seen.has("unacceptable-key"), [...seen].join());
});

/** A certificate of version 1, whose serial number has these bytes instead. OpenSSL reads every form of tag. */
function withSerial(serial: Buffer, publicKeyInfo = costlyCurve()): Buffer {
  const tamper = (signed: Buffer) =>
    sequence(
      serial,
      ...parseDer(signed)
        .children.slice(1)
        .map(({ der }) => der),
    );
  return example.issue({ id: ID, publicKeyInfo, version: 1, tamper }).der;
}

// OpenSSL reads a tag in several bytes also where one is sufficient. A reader that takes the second byte for the length
// finds the following elements at other places: here a key in the middle of the serial number.
it("a tag in the long form does not hide a costly key", () => {
  const accepted = example.key.publicKey.export({ type: "spki", format: "der" });
  const hidden = Buffer.concat([Buffer.of(1), ...Array<Buffer>(4).fill(sequence()), accepted]);
  const certificate = withSerial(Buffer.concat([Buffer.of(0x1f, 0x02, hidden.length), hidden]));
  assert.equal(reasonOf(message([certificate])), "malformed-certificate");
  // (control) OpenSSL reads it as the same certificate as with a tag of one byte.
  const short = withSerial(Buffer.concat([Buffer.of(0x02, hidden.length), hidden]));
  assert.equal(reasonOf(message([short])), "unacceptable-key");
  assert.equal(new X509Certificate(certificate).serialNumber, new X509Certificate(short).serialNumber);
});

// OpenSSL reads a certificate whose lengths are in BER. The check refuses each such length around the key, so both read the
// same key.
it("a change of a byte never turns a costly key into an accepted one", () => {
  for (let at = 0; at < costly.length; at++) {
    for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
      const changed = Buffer.from(costly);
      changed[at]! ^= bit;
      assert.notEqual(reasonOf(message([changed])), undefined, `byte ${at}, bit ${bit}`);
    }
  }
});
