import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { RefusalReason } from "../spiffe/svid-refused.ts";
import type { GateRefusal } from "./handshake-gate.ts";

/** Why a connection was refused, or closed after a change of the bundles. A closed set, for logs, metrics and tests. */
export type ConnectionRefusal =
  | RefusalReason
  | GateRefusal
  /** TLS itself failed: another protocol, an older version, no common algorithm, no h2 among the ALPN protocols. */
  | "handshake-failed"
  /**
   * The peer left, or was silent for too long, before the handshake was complete, as in port scans and TCP probes.
   * Counted, not logged.
   */
  | "handshake-abandoned"
  /** The time for the handshake was over before it had begun: connections arrive faster than `--handshake-rate`. */
  | "handshake-not-begun"
  /**
   * The client sent no ALPN extension (RFC 7301), so it does not speak gRPC. If it offers only other protocols, OpenSSL
   * ends the handshake with an alert: "handshake-failed".
   */
  | "no-h2"
  /** The client resumed a TLS session, although the server keeps none. */
  | "session-resumed"
  /** accept(2) failed, for example because the process has no free file descriptor. */
  | "not-accepted"
  /** Verification failed with an unexpected error. A peer that can't be verified is not served. */
  | "internal"
  /** The connection was served, and was closed because there were too many and its SPIFFE ID had the most. */
  | "crowded-out"
  /** The server has no valid identity at the moment, so it has no bundles to verify the peer with. */
  | "not-ready";

// A record, so that the compiler reports a reason that is missing here.
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

/** All reasons, so that metrics can start each of them at zero. */
export const CONNECTION_REFUSALS: readonly string[] = Object.keys(EVERY);

/** A connection that was closed before HTTP/2 began, or that failed verification after a change of the bundles. */
export interface Refused {
  readonly reason: ConnectionRefusal;
  readonly connection: number;
  readonly remote: string;
  readonly detail: string;
  /** The SPIFFE ID in the peer's certificate, not proven. Undefined if it does not parse. */
  readonly claimed: SpiffeId | undefined;
}
