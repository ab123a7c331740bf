import type { TLSSocket } from "node:tls";

// One more than the verifier takes, so that it can see that there were too many: the walk along a chain of hundreds
// would buy a stranger 20 ms of our only thread.
const MAX_WALK = 11;

/**
 * The certificates that the peer sent, in DER and in the order sent. Read through getPeerX509Certificate:
 * getPeerCertificate(true) links the chain anew, drops what does not fit and adds certificates of ours.
 */
export function sentChain(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && chain.length < MAX_WALK) {
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}
