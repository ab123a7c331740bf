import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import fc from "fast-check";
import { systemClock } from "../../../src/domain/timers.ts";
import { Bundle } from "../../../src/spiffe/bundle.ts";
import { SvidRefused } from "../../../src/spiffe/svid-refused.ts";
import { TrustDomain } from "../../../src/spiffe/trust-domain.ts";
import { verifySvid } from "../../../src/spiffe/verify.ts";
import {
  type DevelopmentCa,
  createDevelopmentCa,
  type Credential,
  type SvidRequest,
} from "../../../src/pki/development-ca.ts";
import { nextEvent } from "../../support/next-event.ts";

const DOMAIN = TrustDomain.parse("example.org");
const NOW = Date.UTC(2026, 5, 1, 12, 0, 0);
const HOUR = 3_600_000;
const SERVER: SvidRequest = { id: "spiffe://example.org/coffer", dns: ["localhost"], ip: ["127.0.0.1"] };

function bundlesOf(ca: DevelopmentCa): ReadonlyMap<string, Bundle> {
  return new Map([[DOMAIN.name, Bundle.fromPem(DOMAIN, Buffer.from(ca.bundlePem), "bundle.pem")]]);
}

function refusal(ca: DevelopmentCa, request: SvidRequest, now = NOW): string | undefined {
  try {
    verifySvid([ca.issue(request).certificate], bundlesOf(ca), now, "client");
    return undefined;
  } catch (error) {
    assert.ok(error instanceof SvidRefused);
    return error.reason;
  }
}

// An issued SVID passes Coffer's strict verifier with the requested SPIFFE ID, for both purposes.
test("an SVID is accepted with its SPIFFE ID", () => {
  const ca = createDevelopmentCa(DOMAIN, () => NOW);
  const { certificate, notAfter } = ca.issue(SERVER);
  for (const purpose of ["client", "server"] as const) {
    const verified = verifySvid([certificate], bundlesOf(ca), NOW, purpose);
    assert.equal(verified.id.toString(), SERVER.id);
    assert.equal(verified.validUntil, notAfter);
  }
});

// A test that needs an invalid SVID gets one that differs from a valid one only in what it requested.
test("an SVID can be made invalid on purpose", () => {
  const ca = createDevelopmentCa(DOMAIN, () => NOW);
  const id = "spiffe://example.org/api";
  assert.equal(refusal(ca, { id }), undefined);
  assert.equal(refusal(ca, { id, notAfter: NOW + HOUR }, NOW + HOUR), undefined);
  assert.equal(refusal(ca, { id, notAfter: NOW + HOUR }, NOW + HOUR + 1), "expired");
  assert.equal(refusal(ca, { id, notBefore: NOW }), undefined);
  assert.equal(refusal(ca, { id, notBefore: NOW + 1000 }), "not-yet-valid");
  assert.equal(refusal(ca, { id: "spiffe://elsewhere.org/api" }), "no-bundle");
  const foreign = createDevelopmentCa(DOMAIN, () => NOW).issue({ id }).certificate;
  assert.throws(() => verifySvid([foreign], bundlesOf(ca), NOW, "client"), SvidRefused);
});

// Times are preserved to the second, before and after 2050, where the encoding changes.
test("validity is preserved to the second", () => {
  const ca = createDevelopmentCa(DOMAIN, () => NOW);
  const date = fc.integer({ min: 0, max: Date.UTC(2200, 0) });
  fc.assert(
    fc.property(date, date, (notBefore, notAfter) => {
      const issued = new X509Certificate(ca.issue({ id: SERVER.id, notBefore, notAfter }).certificate);
      assert.equal(Date.parse(issued.validFrom), Math.floor(notBefore / 1000) * 1000);
      assert.equal(Date.parse(issued.validTo), Math.floor(notAfter / 1000) * 1000);
    }),
    { numRuns: 50 },
  );
});

// Two credentials have different serial numbers and keys, and two CAs also have different names.
test("serial numbers, keys and the names of CAs are unique", () => {
  const authorities = [createDevelopmentCa(DOMAIN, () => NOW), createDevelopmentCa(DOMAIN, () => NOW)];
  const subjects = authorities.map(({ credential }) => new X509Certificate(credential.certificate).subject);
  assert.equal(new Set(subjects).size, 2);
  const svids = [1, 2, 3].map(() => new X509Certificate(authorities[0]!.issue(SERVER).certificate));
  assert.equal(new Set(svids.map(({ serialNumber }) => serialNumber)).size, 3);
  assert.equal(new Set(svids.map(({ publicKey }) => publicKey.export({ type: "spki", format: "pem" }))).size, 3);
});

// Two peers that trust the same CA complete a TLS 1.3 handshake, each with its ID. OpenSSL verifies both chains and the
// server's host name. A certificate with the same ID from another CA does not verify.
test("peers with the same CA complete a TLS 1.3 handshake", async () => {
  const ca = createDevelopmentCa(DOMAIN, systemClock);
  const { bundlePem } = ca;
  const { certPem: cert, keyPem: key } = ca.issue(SERVER);
  const options = {
    ca: bundlePem,
    cert,
    key,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
  } as const;
  const server = createServer(options, (socket) => socket.end(peerOf(socket)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const call = async ({ certPem, keyPem }: Credential): Promise<string[]> => {
    const socket = connect({
      port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: bundlePem,
      cert: certPem,
      key: keyPem,
    });
    await nextEvent(socket, "secureConnect");
    return [peerOf(socket), await text(socket)];
  };
  try {
    const request = { id: "spiffe://example.org/api" };
    const [theServer, theClient] = await call(ca.issue(request));
    assert.equal(theServer, "TLSv1.3 verified URI:spiffe://example.org/coffer, DNS:localhost, IP Address:127.0.0.1");
    assert.equal(theClient, "TLSv1.3 verified URI:spiffe://example.org/api");
    const [, foreign] = await call(createDevelopmentCa(DOMAIN, systemClock).issue(request));
    assert.equal(foreign, "TLSv1.3 UNABLE_TO_VERIFY_LEAF_SIGNATURE URI:spiffe://example.org/api");
  } finally {
    server.close();
  }
});

function peerOf(socket: TLSSocket): string {
  const verdict = socket.authorized ? "verified" : socket.authorizationError;
  return `${socket.getProtocol()} ${verdict} ${socket.getPeerX509Certificate()?.subjectAltName}`;
}

const openssl = (...args: string[]) =>
  execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

function missingOpenssl(): string | false {
  try {
    openssl("version");
    return false;
  } catch {
    return "openssl is not installed";
  }
}

// OpenSSL, an independent implementation, verifies the chain and finds exactly the fields that SPIRE writes.
test("openssl finds the fields that SPIRE writes", { skip: missingOpenssl() }, () => {
  const dir = mkdtempSync(join(tmpdir(), "coffer-pki-"));
  try {
    const ca = createDevelopmentCa(DOMAIN, systemClock);
    const [bundle, leaf] = [join(dir, "bundle.pem"), join(dir, "leaf.pem")];
    writeFileSync(bundle, ca.bundlePem);
    writeFileSync(leaf, ca.issue(SERVER).certPem);
    assert.match(openssl("verify", "-x509_strict", "-CAfile", bundle, leaf), /: OK$/m);
    assert.deepEqual(extensionsOf(leaf), [
      "X509v3 Key Usage: critical = Digital Signature, Key Encipherment, Key Agreement",
      "X509v3 Extended Key Usage: = TLS Web Server Authentication, TLS Web Client Authentication",
      "X509v3 Basic Constraints: critical = CA:FALSE",
      "X509v3 Subject Key Identifier: = ID",
      "X509v3 Authority Key Identifier: = ID",
      "X509v3 Subject Alternative Name: = URI:spiffe://example.org/coffer, DNS:localhost, IP Address:127.0.0.1",
    ]);
    assert.deepEqual(extensionsOf(bundle), [
      "X509v3 Key Usage: critical = Certificate Sign, CRL Sign",
      "X509v3 Basic Constraints: critical = CA:TRUE",
      "X509v3 Subject Key Identifier: = ID",
      "X509v3 Subject Alternative Name: = URI:spiffe://example.org",
    ]);
    assert.match(openssl("x509", "-in", leaf, "-noout", "-subject"), /^subject=C ?= ?US, O ?= ?SPIRE$/m);
    assert.match(openssl("x509", "-in", bundle, "-noout", "-subject"), /O ?= ?SPIFFE, serialNumber ?= ?\d+$/m);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

/** The extensions of a certificate, one per line. Key identifiers, which are random, are shown as ID. */
function extensionsOf(file: string): string[] {
  const all = openssl("x509", "-in", file, "-noout", "-text");
  const lines = [...all.matchAll(/^ {12}(X509v3 .*)\n\s*(.*)$/gm)];
  return lines.map(
    ([, name, value]) => `${name!.trim()} = ${value!.replace(/^(keyid:)?([0-9A-F]{2}:){19}[0-9A-F]{2}$/, "ID")}`,
  );
}
