import { MalformedDer } from "../x509/der.ts";
import { readSentCertificate, type SentCertificate } from "../x509/sent-certificate.ts";
import type { Problem } from "./certificate-rules.ts";

/**
 * The maximum number of certificates in a message, which bounds how many keys OpenSSL decodes and how many signatures it
 * checks. Real chains have one to four; a path has at most ten.
 */
export const MAX_SENT_CERTIFICATES = 16;

/**
 * The maximum number of names in all certificates of a message, multiplied by the number of subtrees in their name constraints.
 * OpenSSL compares each name with the subtrees of every CA above it, also if no CA of a bundle issued any of them. For
 * a leaf with 800 names, this is sufficient for 30 subtrees.
 */
export const MAX_NAME_COMPARISONS = 25_000;

/** The type and the length before each handshake message (RFC 8446 4). */
const HEADER_BYTES = 4;

/**
 * Why OpenSSL must not decode a Certificate message (RFC 8446 4.4.2) of an unauthenticated peer; undefined if it may.
 * OpenSSL decodes every certificate in it, and then checks the signatures and the names of the chain. For some certificates this
 * takes many times as long as a handshake:
 *
 * - 150 ms and more for an EC key with explicit curve parameters, which RFC 5480 2.1.1 forbids. So each certificate must have a
 *   key of an accepted kind, also one that no path needs.
 * - 16 seconds and 960 MB for the CRL distribution points of one certificate of 69 kB, if their names are relative to a long
 *   name of the issuer.
 * - 340 ms for name constraints.
 */
export function messageProblem(message: Buffer): Problem | undefined {
  try {
    const sent = certificatesIn(message);
    if (sent.length <= MAX_SENT_CERTIFICATES) return problemOf(sent.map(readSentCertificate));
    return { reason: "chain-too-long", detail: `the peer sent more than ${MAX_SENT_CERTIFICATES} certificates` };
  } catch (error) {
    if (error instanceof RangeError) return malformed("the message is not well-formed");
    if (error instanceof MalformedDer) return malformed(`a certificate of the peer is malformed: ${error.message}`);
    throw error;
  }
}

function problemOf(certificates: readonly SentCertificate[]): Problem | undefined {
  const costlyKey = certificates.findIndex(({ hasAcceptedKind }) => !hasAcceptedKind);
  if (costlyKey >= 0) {
    return {
      reason: "unacceptable-key",
      detail: `certificate ${costlyKey + 1} of the peer has a key that is not accepted`,
    };
  }
  const relative = certificates.findIndex(({ hasRelativeName }) => hasRelativeName);
  if (relative >= 0) {
    const detail = `certificate ${relative + 1} of the peer has a CRL distribution point with a relative name`;
    return { reason: "too-much-work", detail };
  }
  const names = total(certificates.map((certificate) => certificate.names));
  const subtrees = total(certificates.map((certificate) => certificate.subtrees));
  if (names * subtrees <= MAX_NAME_COMPARISONS) return undefined;
  return {
    reason: "too-much-work",
    detail: `the peer sent ${names} names and name constraints with ${subtrees} subtrees`,
  };
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function malformed(detail: string): Problem {
  return { reason: "malformed-certificate", detail };
}

/** The certificates in DER. Throws RangeError if the message is not well-formed. */
function certificatesIn(message: Buffer): Buffer[] {
  const list = HEADER_BYTES + 1 + message.readUInt8(HEADER_BYTES);
  const first = list + 3;
  if (message.readUIntBE(list, 3) !== message.length - first) throw new RangeError("the list has another length");
  const certificates: Buffer[] = [];
  for (let at = first; at < message.length; ) {
    const start = at + 3;
    const end = start + message.readUIntBE(at, 3);
    certificates.push(message.subarray(start, end));
    at = end + 2 + message.readUInt16BE(end);
  }
  return certificates;
}
