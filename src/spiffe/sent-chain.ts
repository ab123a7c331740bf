import type { DetailedPeerCertificate, TLSSocket } from "node:tls";

// One more than the verifier takes, so that it can see that there were too many. It is no bound on what Node reads.
const MAX_WALK = 11;

/**
 * The certificates that the peer sent, in DER: the leaf, and behind each certificate the one that issued it by its name,
 * key identifier and right to sign. Others are left out. So is what follows an issuer that was sent last though another
 * one should have followed it: chains come in order (RFC 8446, 4.4.2), and Node's walk ends there.
 *
 * On Node 24 this ends the process at some certificates, and the probe of the start refuses it (see app/node-probe.ts).
 * Node reads all of them before it answers: of the hundred kilobytes that OpenSSL takes, that is some 40 ms of the only
 * thread. HandshakeGate.judge sees to it that others get their turn. The socket's context must have an empty store.
 *
 * Never by getPeerX509Certificate, which has all of them: it takes each one behind the leaf out of OpenSSL's list and
 * frees it never, in Node 20, 22 and 24. A stranger who showed ten certificates cost 60 kB for good, 200 times a second.
 */
export function sentChain(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = [];
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  // Without a certificate it is an empty object; behind an authority that signed itself is that authority again.
  while (certificate?.raw !== undefined && !chain.includes(certificate.raw) && chain.length < MAX_WALK) {
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}
