import type { TLSSocket } from "node:tls";
import type { Objection, ShownChain } from "./peer-verifier.ts";

/**
 * What the peer of a completed handshake showed, read as late and as little as possible.
 *
 * - The verdict is that of OpenSSL. node:tls makes `authorized` of it, but only on sockets of its own tls.Server and
 *   tls.connect, of which the latter also reads the whole chain. It is good news as well when a session was resumed
 *   without a certificate, so callers refuse resumed sessions first.
 * - The leaf is read by `getPeerCertificate(false)`, which leaves no memory behind. A leaf is of a kind of key that TLS 1.3
 *   can sign with, so node:tls can describe it. With `true` it would describe every certificate, and end the process on
 *   Node 24 and 26 at a key on a curve without a NIST name, such as secp256k1.
 * - The rest is read by `getPeerX509Certificate()`, which shows any certificate in any order. It takes those behind the
 *   leaf out of OpenSSL's list and never frees them: 2 to 8 kB each, on every release. On most it can be read once only.
 */
export function shownBy(socket: TLSSocket): ShownChain {
  return {
    get objection() {
      return verdictOn(socket);
    },
    get leaf() {
      return socket.getPeerCertificate(false).raw;
    },
    readRest: () => restOf(socket),
  };
}

/** The handle of node:tls, which is not documented. A release without this function ends each verification by an error. */
interface Handle {
  readonly verifyError: () => (Error & { readonly code?: string }) | null | undefined;
}

function verdictOn(socket: TLSSocket): Objection | undefined {
  const { _handle: handle } = socket as unknown as { readonly _handle: Handle };
  const error = handle.verifyError();
  return error ? { code: error.code ?? "", message: error.message } : undefined;
}

function restOf(socket: TLSSocket): Buffer[] {
  const rest: Buffer[] = [];
  let certificate = socket.getPeerX509Certificate()?.issuerCertificate;
  while (certificate !== undefined) {
    rest.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return rest;
}
