import { constants } from "node:crypto";
import type { Socket } from "node:net";
import {
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
  type TLSSocketOptions,
} from "node:tls";
import { anchorsOf } from "../spiffe/anchors.ts";
import type { IdentitySnapshot } from "../identity/source.ts";
import type { Problem } from "../spiffe/certificate-rules.ts";
import { TLS_ALGORITHMS } from "../spiffe/tls-algorithms.ts";
import type { CertificateFilter } from "./certificate-filter.ts";
import { ServerTlsSocket } from "./tls-socket.ts";

/**
 * SSL_CTX_set_options(3), OpenSSL 3.0 and later: OpenSSL overwrites decrypted bytes in its own buffer after they are
 * read. Without this option, the buffer is freed with the plain text in it. Node has no name for the option.
 */
const SSL_OP_CLEANSE_PLAINTEXT = 1 << 1;

/**
 * The TLS contexts of the server's side of a handshake. Both present the same SVID. A handshake begins with
 * `requesting` and continues with `verifying` after the certificate request is sent, see {@link performHandshake}.
 */
export interface HandshakeContexts {
  /** Trusts no CA, so that the certificate request names none. */
  readonly requesting: SecureContext;
  /** Trusts every CA of every bundle. */
  readonly verifying: SecureContext;
  /** The filter of `requesting`. */
  readonly filter: CertificateFilter;
}

/**
 * Creates the contexts for a snapshot of the server's identity. Every snapshot gets completely new ones, so that a
 * rotation cannot lose a setting: replacing only the certificate would silently allow TLS 1.2.
 */
export function handshakeContexts(
  { svid, bundles }: Pick<IdentitySnapshot, "svid" | "bundles">,
  filter: CertificateFilter,
): HandshakeContexts {
  const options: SecureContextOptions = {
    ...TLS_ALGORITHMS,
    cert: svid.certPem,
    key: svid.keyPem,
    // A resumed session has the identity of an earlier handshake, and its certificate would not be verified again.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT,
  };
  const requesting = createSecureContext({ ...options, ...anchorsOf(new Map()) });
  filter.apply(requesting);
  return { requesting, verifying: createSecureContext({ ...options, ...anchorsOf(bundles) }), filter };
}

/** How a handshake ended. */
export interface HandshakeEnd {
  /**
   * It is complete: the peer has proven that it holds the key of its certificate. The certificate is not verified yet.
   */
  readonly complete: (socket: TLSSocket) => void;
  /** The filter refused the client's certificates, so OpenSSL did not decode them. */
  readonly refused: (problem: Problem) => void;
  /** TLS failed. `code` is that of OpenSSL or of the operating system, or empty if the peer only disconnected. */
  readonly failed: (code: string) => void;
}

/**
 * Performs the server's side of a handshake, on a connection whose ClientHello has arrived. Calls one function of
 * `end`, once.
 *
 * node:tls writes the name of every CA that a context trusts into the certificate request. Anyone who can connect could
 * read there which trust domains the server trusts. Clients that select their certificate by these names might
 * send none. Above 64 KiB of names, about 600 CAs, every handshake would fail. So the handshake begins with a context
 * that trusts no CA. `setKeyCert` replaces it, including its trusted CAs, after the request is sent and before the
 * client can answer it. After the handshake, the first context is set again, because the connection would keep a copy
 * of every name.
 */
export function performHandshake(raw: Socket, contexts: HandshakeContexts, end: HandshakeEnd): void {
  const { requesting, verifying, filter } = contexts;
  let isVerifying = false;
  const verifyOnceRequested = () => {
    // The server's Finished is the last message of the flight that contains the certificate request (RFC 8446 2).
    if (isVerifying || socket.destroyed || socket.getFinished() === undefined) return;
    isVerifying = true;
    try {
      socket.setKeyCert(verifying);
    } catch (error) {
      // An error that is thrown from here would end the process.
      socket.destroy(error as Error);
    }
  };
  const options: TLSSocketOptions & Pick<SecureContextOptions, "ALPNCallback"> = {
    isServer: true,
    secureContext: requesting,
    requestCert: true,
    // ConnectionAdmission refuses a client that OpenSSL does not trust, after the handshake and with a reason in the
    // log.
    rejectUnauthorized: false,
    ALPNCallback: ({ protocols }) => {
      // OpenSSL calls this for each ClientHello, before it answers. The contexts must be replaced after that answer and
      // before any further input. Usually the hello arrived before the TLSSocket was created, and the TLSSocket reads it
      // in a separate tick: the next tick is the right moment. After a HelloRetryRequest (RFC 8446 4.1.4), or with a
      // hello in several pieces, the hello arrives as input: the next tick is too early, and the end of the turn is the
      // right moment.
      process.nextTick(verifyOnceRequested);
      setImmediate(verifyOnceRequested);
      return protocols.includes("h2") ? "h2" : undefined;
    },
  };
  const socket = new ServerTlsSocket(raw, options, filter);
  let ended = false;
  const endOnce = (report: () => void) => {
    if (!ended) report();
    ended = true;
  };
  socket.on("error", (error: NodeJS.ErrnoException) => {
    const { problem } = socket;
    endOnce(() => (problem === undefined ? end.failed(error.code ?? "TLS failed") : end.refused(problem)));
  });
  socket.once("close", () => endOnce(() => end.failed("")));
  socket.once("secure", () => {
    socket.secured();
    // Node's own tls.Server sets it at this point too. node:http2 begins to send when `secureConnecting` is false.
    Object.assign(socket, { secureConnecting: false });
    if (isVerifying) socket.setKeyCert(requesting);
    // The client's answer was processed before the contexts were replaced, so OpenSSL verified it without any CA. This
    // is not expected to happen; refusing is safe.
    if (!isVerifying && socket.alpnProtocol === "h2") return endOnce(() => end.failed("the client answered too early"));
    endOnce(() => end.complete(socket));
  });
}
