import { MalformedDer } from "../x509/der.ts";
import { hasAcceptedKind } from "../x509/sent-key.ts";
import type { Problem } from "./certificate-rules.ts";

/**
 * The maximum number of certificates in a message, which bounds how many keys OpenSSL decodes and how many signatures it
 * checks. Real chains have one to four; a path has at most ten.
 */
export const MAX_SENT_CERTIFICATES = 16;

/** The type and the length before each handshake message (RFC 8446 4). */
const HEADER_BYTES = 4;

/**
 * Why OpenSSL must not decode a Certificate message (RFC 8446 4.4.2) of an unauthenticated peer; undefined if it may.
 * OpenSSL decodes the key of every certificate in it, and then checks the signatures of the chain. For some keys this takes
 * many times as long as a handshake: 150 ms and more for an EC key with explicit curve parameters, which RFC 5480 2.1.1
 * forbids. So each certificate must have a key of an accepted kind, also one that no path needs.
 */
export function messageProblem(message: Buffer): Problem | undefined {
  try {
    const certificates = certificatesIn(message);
    if (certificates.length > MAX_SENT_CERTIFICATES) {
      return { reason: "chain-too-long", detail: `the peer sent more than ${MAX_SENT_CERTIFICATES} certificates` };
    }
    const index = certificates.findIndex((certificate) => !hasAcceptedKind(certificate));
    if (index < 0) return undefined;
    return {
      reason: "unacceptable-key",
      detail: `certificate ${index + 1} of the peer has a key that is not accepted`,
    };
  } catch (error) {
    if (error instanceof RangeError) return malformed("the message is not well-formed");
    if (error instanceof MalformedDer) return malformed(`a certificate of the peer is malformed: ${error.message}`);
    throw error;
  }
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
