import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Bundle } from "../../../src/spiffe/bundle.ts";
import { MaterialError } from "../../../src/spiffe/material-error.ts";
import { TrustDomain } from "../../../src/spiffe/trust-domain.ts";
import { example, forge, other } from "../../support/chain-world.ts";

const TD = TrustDomain.parse("example.org");

function read(pem: string): Bundle {
  return Bundle.fromPem(TD, Buffer.from(pem), "bundle.pem");
}

function problem(pem: string): string {
  try {
    read(pem);
    return "none";
  } catch (error) {
    assert.ok(error instanceof MaterialError, String(error));
    return error.message;
  }
}

describe("Bundle.fromPem", () => {
  it("reads CA certificates in order, each once, and ignores the text around them", () => {
    const second = forge.ca(undefined);
    const pem = `# two\n${example.bundlePem}${second.bundlePem}${example.bundlePem}`;
    assert.deepEqual(
      read(pem).authorities.map(({ der }) => der),
      [example.der, second.der],
    );
    assert.equal(read(pem).trustDomain, TD);
  });

  it("reads an empty file as an empty bundle, which trusts no workload", () => {
    assert.deepEqual(read("").authorities, []);
  });

  it("accepts expired CAs: SPIRE leaves them in the bundle for a day", () => {
    const expired = forge.ca("spiffe://example.org", { notBefore: 0, notAfter: 1000 });
    assert.equal(read(expired.bundlePem).authorities.length, 1);
  });

  it("refuses a file without certificates", () => {
    assert.equal(problem("nothing\n"), "bundle.pem contains no PEM block");
    assert.equal(problem(example.keyPem), "bundle.pem contains no CERTIFICATE block");
  });

  it("refuses a malformed certificate at any position, and names its line", () => {
    const lines = example.bundlePem.split("\n").length;
    const broken = example.bundlePem.replace("\nMII", "\nMIJ");
    assert.equal(problem(example.bundlePem), "none");
    assert.match(
      problem(example.bundlePem + broken),
      new RegExp(`^bundle.pem, line ${lines}: the certificate is malformed`),
    );
  });

  // With one file for all federated trust domains, the CAs of each could issue SVIDs for this one.
  it("refuses a CA of another trust domain, and names both", () => {
    const said = problem(example.bundlePem + other.bundlePem);
    assert.match(said, /line \d+: this CA belongs to the trust domain other\.org, .* given for example\.org/);
    assert.equal(problem(example.bundlePem), "none");
    assert.equal(problem(forge.ca(undefined).bundlePem), "none");
    assert.equal(problem(forge.ca("https://example.com/").bundlePem), "none");
  });

  it("is immutable", () => {
    const bundle = read(example.bundlePem);
    assert.throws(() => (bundle.authorities as unknown[]).push(1), TypeError);
  });
});
