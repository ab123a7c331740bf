import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import type { Purpose } from "../../src/spiffe/certificate-rules.ts";
import type { Case } from "../support/chain-world.ts";
import { HONEST } from "../support/honest-chains.ts";
import type { HostileCase } from "../support/hostile-case.ts";
import { HOSTILE } from "../support/hostile-chains.ts";

/** Rows of hostile chains that OpenSSL can't read. The handshake fails without a reason of the verifier. */
export const UNREADABLE: ReadonlySet<string> = new Set([
  "a serial number with a leading zero",
  "a point that is not on the curve",
]);

/**
 * Rows of hostile chains that a server's filter refuses before OpenSSL reads them, with their own reason. Without the
 * filter, OpenSSL would end the handshake, or correct the chain. Coffer's client has no filter, so its tests omit them.
 */
export const FILTERED: ReadonlySet<string> = new Set([
  "no bytes",
  "no certificate",
  "a certificate that is cut off",
  "a byte after the certificate",
  "two certificates in one",
  // OpenSSL encodes the outermost length again, so the verifier would not notice it.
  "a length with a leading zero",
  // TLS 1.3 has no signatures with the first key, and the server does not offer signatures with the second one.
  "a key on secp256k1",
  "an Ed448 key",
  // The test has only the public key, so the client signs the handshake with another key.
  "an RSA key of 16384 bits",
]);

/** Rows of valid chains that OpenSSL refuses; docs/identity.md has the reason of each. */
export const OPENSSL_IS_STRICTER: ReadonlyMap<string, "malformed-certificate" | "untrusted"> = new Map([
  ["bytes that are not a certificate after a valid leaf", "malformed-certificate"],
  ["any extended key usage", "untrusted"],
  ["an authority key identifier that matches no CA", "untrusted"],
  ["the sixteenth CA of a bundle whose CAs differ only in their keys", "untrusted"],
  ["a CA for all trust domains", "untrusted"],
]);

/**
 * Rows of hostile chains that OpenSSL refuses before the verifier reads them. Over TLS their reason is `untrusted`;
 * only OpenSSL's error code, which the log contains, names the defect.
 */
const UNTRUSTED_OVER_TLS: ReadonlySet<string> = new Set([
  "a signature with SHA-1",
  "an RSA signature with SHA-1",
  "an RSA signature with MD5",
  "an intermediate with an RSA key of 1024 bits",
  "a CA with an RSA key of 1024 bits",
  "a workload that signs",
  "an intermediate that is not a CA",
  "an intermediate without keyCertSign",
  "an intermediate signed with SHA-1",
  "an issuer in the bundle that is not a CA",
  "a CA with an unknown critical extension",
  "a CA for another trust domain",
  "a CA for the subdomains of this trust domain only",
  "a CA for a trust domain with the same ending",
  "a CA for every trust domain except this one",
  "a CA for certain DNS names",
  "a CA that excludes all IPv4 addresses",
  "a CA for certain subjects",
  "an intermediate for another trust domain",
  "an intermediate outside the constraints of its CA",
  "a workload outside the constraints of the CA above its issuer",
  "intermediates that all signed each other",
  "the seventeenth CA of a bundle whose CAs differ only in their keys",
]);

/** The rows of valid chains that are presented for this purpose and that OpenSSL accepts as well. */
export function honest(purpose: Purpose): readonly Case[] {
  return honestRows(purpose).filter(({ what }) => !OPENSSL_IS_STRICTER.has(what));
}

/** The rows of valid chains that are presented for this purpose and that OpenSSL refuses. */
export function strictlyRefused(purpose: Purpose): readonly Case[] {
  return honestRows(purpose).filter(({ what }) => OPENSSL_IS_STRICTER.has(what));
}

function honestRows(purpose: Purpose): readonly Case[] {
  return HONEST.filter((row) => (row.purpose ?? purpose) === purpose);
}

/** The rows of hostile chains that are presented for this purpose. */
export function hostile(purpose: Purpose): readonly HostileCase[] {
  const rows = Object.values(HOSTILE).flat();
  return rows.filter((row) => (row.purpose ?? purpose) === purpose);
}

/**
 * The rows of {@link hostile} that reach the verifier, each with the reason of its refusal over TLS.
 */
export function arriving(purpose: Purpose): readonly HostileCase[] {
  const rows = hostile(purpose).filter(({ what }) => !UNREADABLE.has(what) && !FILTERED.has(what));
  return rows.map((row) => (UNTRUSTED_OVER_TLS.has(row.what) ? { ...row, reason: "untrusted" } : row));
}

/** The one URI of a leaf, read by OpenSSL. */
export function uriOf(leaf: Uint8Array): string {
  const uris = new X509Certificate(leaf).subjectAltName!.split(", ").filter((name) => name.startsWith("URI:"));
  assert.equal(uris.length, 1);
  return uris[0]!.slice("URI:".length);
}
