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
import { TLS_ALGORITHMS } from "../spiffe/tls-algorithms.ts";
import { ServerTlsSocket } from "./tls-socket.ts";

/**
 * OpenSSL 3.0 and later, SSL_CTX_set_options(3): overwrites what it has decrypted, in its own buffer, once it was read.
 * Otherwise that buffer keeps it, and is freed with it. Node does not name this option.
 */
const SSL_OP_CLEANSE_PLAINTEXT = 1 << 1;

/**
 * How the server's half of a handshake is done. Both contexts show the same SVID; a handshake begins with the first and
 * goes on with the second when the certificate request is sent, see {@link shakeHands}.
 */
export interface HandshakeContexts {
  /** Trusts no authority, so that the certificate request names none. */
  readonly asking: SecureContext;
  /** Trusts every authority of every bundle. */
  readonly judging: SecureContext;
}

/**
 * What the server shows and demands in a handshake. It is made anew, whole, for each snapshot of its identity, so that no
 * rotation can leave a setting behind: an update of only the certificate would silently let TLS 1.2 in.
 */
export function handshakeContexts({ svid, bundles }: Pick<IdentitySnapshot, "svid" | "bundles">): HandshakeContexts {
  const options: SecureContextOptions = {
    ...TLS_ALGORITHMS,
    cert: svid.certPem,
    key: svid.keyPem,
    // A resumed session carries the identity of an earlier handshake, without its certificate being looked at again.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT,
  };
  return {
    asking: createSecureContext({ ...options, ...anchorsOf(new Map()) }),
    judging: createSecureContext({ ...options, ...anchorsOf(bundles) }),
  };
}

/** How a handshake ended. */
export interface HandshakeEnd {
  /** It is complete. That the peer holds the key of its certificate is shown; whose certificate it is, is not. */
  readonly complete: (socket: TLSSocket) => void;
  /** TLS failed; `code` is OpenSSL's or the system's, empty when the peer just left. */
  readonly failed: (code: string) => void;
}

/**
 * Shakes hands as the server, on a connection whose client has sent its hello. One of the two ends is called, once.
 *
 * node:tls puts the name of every authority that a context trusts into the certificate request. Anyone who can connect
 * could read there with whom this trust domain federates, clients that choose their certificate by these names might send
 * none, and above 64 KiB of names, some 600 authorities, every handshake would fail. So the handshake begins with a context
 * that trusts none, and `setKeyCert` replaces it, trusted authorities included, when the request is sent and before the
 * client can have answered it. Afterwards it goes back, since the connection would keep a copy of every name.
 */
export function shakeHands(raw: Socket, { asking, judging }: HandshakeContexts, end: HandshakeEnd): void {
  let isJudging = false;
  const judgeOnceAsked = () => {
    // The server's Finished is the last message of the flight that the certificate request is in (RFC 8446 2).
    if (isJudging || socket.destroyed || socket.getFinished() === undefined) return;
    isJudging = true;
    socket.setKeyCert(judging);
  };
  const options: TLSSocketOptions & Pick<SecureContextOptions, "ALPNCallback"> = {
    isServer: true,
    secureContext: asking,
    requestCert: true,
    // A client whose certificate OpenSSL does not trust is refused after the handshake, with a reason in the log.
    rejectUnauthorized: false,
    ALPNCallback: ({ protocols }) => {
      // OpenSSL calls this for each hello, before it answers. Usually the hello was here before the TLSSocket, which reads it
      // in a tick of its own: the next tick is then before any input. After a HelloRetryRequest (4.1.4), or a hello in pieces,
      // it arrives as input, ticks come too early, and the end of the turn is before further input.
      process.nextTick(judgeOnceAsked);
      setImmediate(judgeOnceAsked);
      return protocols.includes("h2") ? "h2" : undefined;
    },
  };
  const socket = new ServerTlsSocket(raw, options);
  let ended = false;
  const endOnce = (report: () => void) => {
    if (!ended) report();
    ended = true;
  };
  socket.on("error", (error: NodeJS.ErrnoException) => endOnce(() => end.failed(error.code ?? "TLS failed")));
  socket.once("close", () => endOnce(() => end.failed("")));
  socket.once("secure", () => {
    socket.secured();
    // As Node's own tls.Server does at this point: http2 begins to send when it is false.
    Object.assign(socket, { secureConnecting: false });
    if (isJudging) socket.setKeyCert(asking);
    // Its input overtook the end of the turn, so OpenSSL has judged it by no authority. Not expected; refusing is safe.
    if (!isJudging && socket.alpnProtocol === "h2") return endOnce(() => end.failed("the client answered too early"));
    endOnce(() => end.complete(socket));
  });
}
