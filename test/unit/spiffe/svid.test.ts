import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createSecureContext } from "node:tls";
import { inspect } from "node:util";
import type { Purpose } from "../../../src/spiffe/certificate-rules.ts";
import { MaterialError } from "../../../src/spiffe/material-error.ts";
import { pemText } from "../../../src/x509/pem.ts";
import { parseSvid, type Svid } from "../../../src/spiffe/svid.ts";
import { type CertificateSpec, commonName, newKey } from "../../support/certificate-forge.ts";
import { example, ID, NOW } from "../../support/chain-world.ts";

const good = example.issue({ id: ID });

function read(cert: string, key: string, purpose: Purpose = "server"): Svid {
  return parseSvid(
    { name: "svid.pem", bytes: Buffer.from(cert) },
    { name: "key.pem", bytes: Buffer.from(key) },
    purpose,
  );
}

function problem(cert: string, key: string): string {
  try {
    read(cert, key);
    return "none";
  } catch (error) {
    assert.ok(error instanceof MaterialError, String(error));
    return error.message;
  }
}

function leafProblem(spec: CertificateSpec): string {
  const leaf = example.issue({ id: ID, ...spec });
  return problem(leaf.certPem, leaf.keyPem);
}

function chainProblem(spec: CertificateSpec): string {
  const leaf = example.intermediate(spec).issue({ id: ID });
  return problem(leaf.certPem, leaf.keyPem);
}

describe("parseSvid", () => {
  it("reads a leaf and its key, and returns them in forms that node:tls accepts", () => {
    const svid = read(good.certPem, good.keyPem);
    assert.equal(String(svid.id), ID);
    assert.deepEqual(svid.chain, good.chain);
    assert.equal(svid.notAfter, NOW + 3600_000);
    assert.ok(createSecureContext({ cert: svid.certPem, key: svid.keyPem }));
  });

  it("reads intermediates after the leaf", () => {
    const below = example
      .intermediate()
      .intermediate({ subject: commonName("lower") })
      .issue({ id: ID });
    assert.equal(read(below.certPem, below.keyPem).chain.length, 3);
  });

  it("reads the leaf and the key from one file, in either order", () => {
    for (const both of [good.certPem + good.keyPem, good.keyPem + good.certPem]) {
      assert.equal(String(read(both, both).id), ID);
    }
  });

  it("reads every kind of key that the verifier accepts from peers", () => {
    for (const keyType of ["P-384", "P-521", "ed25519", "rsa-2048"] as const) {
      const leaf = example.issue({ id: ID, keyType });
      assert.equal(problem(leaf.certPem, leaf.keyPem), "none", keyType);
    }
  });

  // cert-manager writes PKCS#1 and SEC 1 unless PKCS#8 is configured; openssl writes EC PARAMETERS before the key.
  it("reads keys in every form that common tools write", () => {
    const rsa = example.issue({ id: ID, keyType: "rsa-2048" });
    const pkcs1 = rsa.key.privateKey.export({ type: "pkcs1", format: "pem" }).toString();
    assert.match(pkcs1, /^-----BEGIN RSA PRIVATE KEY-----/);
    const parameters = pemText("EC PARAMETERS", Buffer.from("06082a8648ce3d030107", "hex"));
    for (const [cert, key] of [
      [good.certPem, good.keyPem],
      [good.certPem, sec1],
      [good.certPem, parameters + sec1],
      [rsa.certPem, pkcs1],
    ] as const) {
      assert.equal(problem(cert, key), "none");
      assert.match(read(cert, key).keyPem, /^-----BEGIN PRIVATE KEY-----/);
    }
  });

  const sec1 = pemText("EC PRIVATE KEY", good.key.privateKey.export({ type: "sec1", format: "der" }) as Buffer);
  const secret = { cipher: "aes-256-cbc", passphrase: "secret" };
  const encrypted = good.key.privateKey.export({ type: "pkcs8", format: "pem", ...secret }).toString();
  const oldEncrypted = good.key.privateKey.export({ type: "sec1", format: "pem", ...secret }).toString();
  const trailing = pemText("PRIVATE KEY", Buffer.concat([pkcs8(), Buffer.of(5, 0)]));
  const foreign = newKey("P-256").privateKey.export({ type: "pkcs8", format: "pem" }).toString();

  const FILES: readonly [what: string, cert: string, key: string, said: RegExp][] = [
    ["no certificate", good.keyPem, good.keyPem, /^svid\.pem contains no certificate$/],
    ["an empty certificate file", "", good.keyPem, /^svid\.pem contains no certificate$/],
    ["a certificate file that is not PEM", "x", good.keyPem, /^svid\.pem contains no PEM block$/],
    [
      "a broken certificate",
      good.certPem.replace("\nMII", "\nMIJ"),
      good.keyPem,
      /^svid\.pem, line 1: the certificate is malf/,
    ],
    ["no key", good.certPem, good.certPem, /^key\.pem contains no PRIVATE KEY block$/],
    ["an empty key file", good.certPem, "", /^key\.pem contains no PRIVATE KEY block$/],
    ["a key file that is not PEM", good.certPem, "x", /^key\.pem contains no PEM block$/],
    ["a broken key in SEC 1", good.certPem, sec1.replace("\nMH", "\nMI"), /^key\.pem, line 1: .* key is malformed$/],
    ["an encrypted key", good.certPem, encrypted, /^key\.pem, line 1: .* is encrypted; provide it without a pass/],
    [
      "a key that is encrypted in the legacy form of PEM",
      good.certPem,
      oldEncrypted,
      /^key\.pem has an encrypted EC PRIVATE KEY block in line/,
    ],
    ["two keys in two forms", good.certPem, good.keyPem + sec1, /^key\.pem contains more than one private key$/],
    [
      "a broken key",
      good.certPem,
      good.keyPem.replace("\nMI", "\nMJ"),
      /^key\.pem, line 1: the private key is malformed$/,
    ],
    ["bytes after the key", good.certPem, trailing, /^key\.pem, line 1: the private key is malformed$/],
    ["two keys", good.certPem, good.keyPem + foreign, /^key\.pem contains more than one private key$/],
    [
      "a key that is not that of the leaf",
      good.certPem,
      foreign,
      /^key\.pem: this is not the key of the leaf certificate in svid\.pem$/,
    ],
  ];
  for (const [what, cert, key, said] of FILES) {
    it(`refuses ${what}`, () => {
      assert.equal(problem(good.certPem, good.keyPem), "none");
      assert.match(problem(cert, key), said);
    });
  }

  it("reports the problems of both files together", () => {
    assert.deepEqual(problem("x", "x").split("\n"), [
      "svid.pem contains no PEM block",
      "key.pem contains no PEM block",
    ]);
  });

  const LEAVES: readonly [what: string, spec: CertificateSpec, said: RegExp][] = [
    ["no ID", { uris: [], dns: ["localhost"] }, /no URI/],
    ["two IDs", { uris: [ID, ID] }, /2 URIs/],
    ["a malformed ID", { id: "spiffe://EXAMPLE.org/api" }, /trust domain that contains "E"/],
    ["the ID of a trust domain", { id: "spiffe://example.org" }, /that of a trust domain/],
    ["a CA", { ca: true }, /is a CA/],
    ["keyCertSign", { keyUsage: [0, 5] }, /keyCertSign/],
    ["cRLSign", { keyUsage: [0, 6] }, /cRLSign/],
    ["no digitalSignature", { keyUsage: [2] }, /lacks digitalSignature/],
    ["no serverAuth", { extendedKeyUsage: ["1.3.6.1.5.5.7.3.2"] }, /lacks serverAuth/],
    ["a weak key", { keyType: "rsa-1024" }, /svid\.pem, line 1: the key of the leaf/],
  ];
  for (const [what, spec, said] of LEAVES) {
    it(`refuses a leaf with ${what}`, () => {
      assert.equal(leafProblem({}), "none");
      assert.match(leafProblem(spec), said);
      assert.match(leafProblem(spec), /^svid\.pem/);
    });
  }

  it("requires the purpose that the SVID is used for", () => {
    const client = example.issue({ id: ID, extendedKeyUsage: ["1.3.6.1.5.5.7.3.2"] });
    assert.equal(String(read(client.certPem, client.keyPem, "client").id), ID);
    assert.throws(() => read(client.certPem, client.keyPem, "server"), MaterialError);
  });

  it("refuses an intermediate that may not sign", () => {
    assert.equal(chainProblem({}), "none");
    assert.match(chainProblem({ ca: false }), /^svid\.pem, line \d\d: the issuer .* is not a CA/);
    assert.match(chainProblem({ keyUsage: [6] }), /keyCertSign/);
  });

  it("never prints the key", () => {
    const svid = read(good.certPem, good.keyPem);
    const secret = good.keyPem.split("\n")[1]!;
    assert.ok(svid.keyPem.includes(secret));
    for (const printed of [String(svid), inspect(svid, { showHidden: true, depth: 9 }), JSON.stringify({ svid })]) {
      assert.ok(printed.includes(ID));
      assert.ok(!printed.includes(secret), printed);
    }
  });
});

function pkcs8(): Buffer {
  return good.key.privateKey.export({ type: "pkcs8", format: "der" });
}
