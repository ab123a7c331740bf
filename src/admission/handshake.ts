import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { type SecureContext, type TLSSocket, createSecureContext } from "node:tls";
import type { IdentitySnapshot } from "../identity/source.ts";
import { TLS_ALGORITHMS } from "../spiffe/tls-algorithms.ts";
import { ServerTlsSocket } from "./tls-socket.ts";

/**
 * OpenSSL 3.0 and later, SSL_CTX_set_options(3): overwrites what it has decrypted, in its own buffer, once it was read.
 * Otherwise that buffer keeps it, and is freed with it. Node does not name this option.
 */
const SSL_OP_CLEANSE_PLAINTEXT = 1 << 1;

/**
 * What we show and demand in a handshake. It is made anew, whole, for each snapshot of our identity, so that no rotation
 * can leave a setting behind: an update of only the certificate would quietly let TLS 1.2 in.
 */
export function handshakeContext({ svid }: IdentitySnapshot): SecureContext {
  return createSecureContext({
    ...TLS_ALGORITHMS,
    cert: svid.certPem,
    key: svid.keyPem,
    // No names of authorities are shown to the client, and OpenSSL trusts nobody: our verifier decides. And not left out:
    // Node would then follow a peer's chain into the machine's own store, and go round in it for ever if two authorities
    // there have signed each other.
    ca: [],
    // A resumed session carries the identity of an earlier handshake, without its certificate being looked at again.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT,
  });
}

/** How a handshake ended. */
export interface HandshakeEnd {
  /** It is complete. That the peer holds the key of its certificate is shown; whose certificate it is, is not. */
  readonly complete: (socket: TLSSocket) => void;
  /** TLS failed; `code` is OpenSSL's or the system's, empty when the peer just left. */
  readonly failed: (code: string) => void;
}

/** Shakes hands as the server, on a connection whose client has said hello. One of the two ends is called, once. */
export function shakeHands(raw: Socket, secureContext: SecureContext, end: HandshakeEnd): void {
  const socket = new ServerTlsSocket(raw, {
    isServer: true,
    secureContext,
    requestCert: true,
    // A client whose certificate OpenSSL does not trust is ours to judge.
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
  });
  let ended = false;
  const endOnce = (tell: () => void) => {
    if (!ended) tell();
    ended = true;
  };
  socket.on("error", (error: NodeJS.ErrnoException) => endOnce(() => end.failed(error.code ?? "TLS failed")));
  socket.once("close", () => endOnce(() => end.failed("")));
  socket.once("secure", () => {
    socket.secured();
    // As Node's own tls.Server does at this point: http2 begins to speak when it is false.
    Object.assign(socket, { secureConnecting: false });
    // OpenSSL, which has just called, is not to be called again from within: on Node 24 and 26 a socket that is closed here
    // sends no close_notify.
    setImmediate(() => endOnce(() => end.complete(socket)));
  });
}
