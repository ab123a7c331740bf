import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { RefusalReason } from "../spiffe/svid-refused.ts";
import type { GateRefusal } from "./handshake-gate.ts";

/** Why a connection was refused, or ended because trust had changed: a closed set, for logs, metrics and tests. */
export type ConnectionRefusal =
  | RefusalReason
  | GateRefusal
  /** TLS itself failed: another protocol, an older version, no common algorithm. */
  | "handshake-failed"
  /** Gone or silent before the handshake was complete, as port scans and TCP probes are. Counted, not logged. */
  | "handshake-abandoned"
  /** It waited in vain for its turn to shake hands: connections come faster than `--handshake-rate`. */
  | "handshake-not-begun"
  /** The client did not offer h2 by ALPN (RFC 7301), so it does not speak gRPC. */
  | "no-h2"
  /** The client resumed a TLS session. No ticket is ever given out, so this can't be honest. */
  | "session-resumed"
  /** The system could not hand over a connection that had come, or has no more descriptors for it. */
  | "not-accepted"
  /** We could not tell, which is a fault of ours; who can't be verified is not served. */
  | "internal"
  /** It was served, and there were too many connections, of which its SPIFFE ID had the most. */
  | "crowded-out"
  /** We have no identity at the moment: nothing by which to tell who the peer is. */
  | "not-ready";

// A record, so that the compiler misses the reason that is forgotten here.
const EVERY: Readonly<Record<ConnectionRefusal, true>> = {
  "no-certificate": true,
  "chain-too-long": true,
  "chain-too-large": true,
  "malformed-certificate": true,
  "no-uri": true,
  "several-uris": true,
  "malformed-spiffe-id": true,
  "no-workload-path": true,
  "leaf-is-ca": true,
  "leaf-may-sign": true,
  "leaf-key-usage": true,
  "leaf-extended-key-usage": true,
  "no-bundle": true,
  untrusted: true,
  expired: true,
  "not-yet-valid": true,
  "unacceptable-key": true,
  "unacceptable-signature": true,
  "unknown-critical-extension": true,
  "issuer-not-ca": true,
  "path-too-long": true,
  "name-constraint": true,
  "too-much-work": true,
  "chain-not-read": true,
  "too-many-connections": true,
  "handshake-displaced": true,
  "handshake-failed": true,
  "handshake-abandoned": true,
  "handshake-not-begun": true,
  "no-h2": true,
  "session-resumed": true,
  "not-accepted": true,
  "crowded-out": true,
  internal: true,
  "not-ready": true,
};

/** All reasons, for metrics that begin at zero. */
export const CONNECTION_REFUSALS: readonly string[] = Object.keys(EVERY);

/** A connection that was closed before HTTP/2 began, or that did not pass when trust changed. */
export interface Refused {
  readonly reason: ConnectionRefusal;
  readonly connection: number;
  readonly remote: string;
  readonly detail: string;
  /** Who the peer says it is; only when it parses. */
  readonly claimed: SpiffeId | undefined;
}
