import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import type { Purpose } from "../../src/spiffe/certificate-rules.ts";
import type { Case } from "../support/chain-world.ts";
import { HONEST } from "../support/honest-chains.ts";
import type { HostileCase } from "../support/hostile-case.ts";
import { HOSTILE } from "../support/hostile-chains.ts";

/**
 * Rows of hostile chains that do not reach the verifier as they were sent, and what becomes of them instead.
 */
export const NEVER_REACHES_US: ReadonlyMap<string, "handshake-failed" | "untrusted" | "made good"> = new Map([
  // The server's OpenSSL can't read these.
  ["no bytes", "handshake-failed"],
  ["no certificate", "handshake-failed"],
  ["a certificate that is cut off", "handshake-failed"],
  ["a byte after the certificate", "handshake-failed"],
  ["two certificates in one", "handshake-failed"],
  ["junk behind a good leaf", "handshake-failed"],
  ["a serial number with a leading zero", "handshake-failed"],
  ["a point that is not on the curve", "handshake-failed"],
  // TLS 1.3 has no signatures with this curve.
  ["a key on secp256k1", "handshake-failed"],
  // The server does not offer signatures with this key.
  ["an Ed448 key", "handshake-failed"],
  // Nobody holds this key.
  ["an RSA key of 16384 bits", "handshake-failed"],
  // OpenSSL writes the outermost length anew. What was signed is intact.
  ["a length with a leading zero", "made good"],
  // Node hands over issuers only, and OpenSSL takes nobody without that right for one.
  ["a workload that signs", "untrusted"],
  ["an intermediate without keyCertSign", "untrusted"],
  // Ten of them issue nothing, and are left out.
  ["eleven certificates", "made good"],
]);

/** An honest row that is refused over TLS: what Node hands over of it ends too soon. */
export const OUT_OF_ORDER = "two intermediates in the wrong order";

/** The rows of honest chains that are shown for this purpose and reach the verifier. */
export function honest(purpose: Purpose): readonly Case[] {
  return HONEST.filter((row) => (row.purpose ?? purpose) === purpose && row.what !== OUT_OF_ORDER);
}

/** The rows of hostile chains that are shown for this purpose. */
export function hostile(purpose: Purpose): readonly HostileCase[] {
  const rows = Object.values(HOSTILE).flat();
  return rows.filter((row) => (row.purpose ?? purpose) === purpose);
}

/** Of those, the rows that reach the verifier as they are sent. */
export function arriving(purpose: Purpose): readonly HostileCase[] {
  return hostile(purpose).filter(({ what }) => !NEVER_REACHES_US.has(what));
}

/** The one URI of a leaf, read by OpenSSL. */
export function uriOf(leaf: Uint8Array): string {
  const uris = new X509Certificate(leaf).subjectAltName!.split(", ").filter((name) => name.startsWith("URI:"));
  assert.equal(uris.length, 1);
  return uris[0]!.slice("URI:".length);
}
