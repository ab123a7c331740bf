import type { SpiffeId } from "../identity/spiffe-id.ts";
import type { RefusalReason } from "../identity/svid-refused.ts";
import type { GateRefusal } from "./handshake-gate.ts";

/** Why a connection was refused, or ended because trust had changed: a closed set, for logs, metrics and tests. */
export type ConnectionRefusal =
  | RefusalReason
  | GateRefusal
  /** TLS itself failed: another protocol, an older version, no common algorithm. */
  | "handshake-failed"
  /** Gone or silent before the handshake was complete, as port scans and TCP probes are. Counted, not logged. */
  | "handshake-abandoned"
  /** The client did not offer h2 by ALPN (RFC 7301), so it does not speak gRPC. */
  | "no-h2"
  /** The client resumed a TLS session. No ticket is ever given out, so this can't be honest. */
  | "session-resumed"
  /** The system could not hand over a connection that had come, or has no more descriptors for it. */
  | "not-accepted"
  /** We could not tell, which is a fault of ours; who can't be verified is not served. */
  | "internal"
  /** We have no identity at the moment: nothing by which to tell who the peer is. */
  | "not-ready";

/** A connection that was closed before HTTP/2 began, or that did not pass when trust changed. */
export interface Refused {
  readonly reason: ConnectionRefusal;
  readonly connection: number;
  readonly remote: string;
  readonly detail: string;
  /** Who the peer says it is; only when it parses. */
  readonly claimed: SpiffeId | undefined;
}
