import type { TLSSocket } from "node:tls";
import type { Objection, ShownChain } from "./peer-verifier.ts";

/**
 * The certificates that the peer of a completed handshake presented. Each part is read only when it is used.
 *
 * - `objection` is OpenSSL's verdict. node:tls sets `authorized` from it, but only on sockets of its own tls.Server and
 *   tls.connect, and tls.connect also reads the whole chain. OpenSSL also has no objection to a session that was
 *   resumed without a certificate, so callers must refuse resumed sessions first.
 * - `leaf` is read by `getPeerCertificate(false)`, which leaks no memory. The peer has signed with the key of the leaf,
 *   so it is of a kind that TLS 1.3 allows and that node:tls can describe. `getPeerCertificate(true)` would describe
 *   every certificate. On Node 24 and 26, it ends the process if one of them has a key on a curve without a NIST name,
 *   such as secp256k1.
 * - `readRest` uses `getPeerX509Certificate()`, which returns certificates of every kind, in the order in which the peer
 *   sent them. It removes those after the leaf from OpenSSL's list and never frees them: 2 to 8 kB each, on every
 *   release. On most releases, they can be read only once.
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

/**
 * The internal handle of a TLSSocket. If a release of Node has no such function, every verification fails with an
 * error.
 */
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
