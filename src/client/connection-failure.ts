import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { SvidRefused } from "../spiffe/svid-refused.ts";

/** Why a call got no answer from its server. */
export type ConnectionFailure =
  /** The client currently has no SVID. Each problem is a sentence. The call was not sent. */
  | { readonly kind: "no-identity"; readonly problems: readonly string[] }
  /** The client has the SPIFFE ID of the server, so the server's SVID would prove nothing. The call was not sent. */
  | { readonly kind: "own-id"; readonly id: SpiffeId }
  /** No connection could be made. The call was not sent. */
  | { readonly kind: "unreachable"; readonly problem: string }
  /** The peer accepted the connection but did not complete the TLS 1.3 handshake. The call was not sent. */
  | { readonly kind: "handshake-failed"; readonly problem: string }
  /** The server's X.509-SVID is not valid for the bundle. The call was not sent. */
  | { readonly kind: "untrusted-server"; readonly refusal: SvidRefused }
  /** The server has another SPIFFE ID. The call was not sent. */
  | { readonly kind: "wrong-server"; readonly expected: SpiffeId; readonly got: SpiffeId }
  /**
   * The connection was closed after a successful handshake, before the server sent anything. A TLS 1.3 client completes
   * the handshake before the server verifies its certificate. If the server refuses the certificate, the client sees
   * only this. The call was not sent: grpc-js sends none before the server's SETTINGS have arrived.
   */
  | { readonly kind: "closed-at-once"; readonly as: SpiffeId; readonly by: SpiffeId }
  /** The connection failed during the call. A change may have been applied. */
  | { readonly kind: "broken"; readonly problem: string }
  /** No answer came in time. If `wasSent`, a change may have been applied; the call was not sent otherwise. */
  | { readonly kind: "no-answer"; readonly wasSent: boolean };

/** The failure as a sentence for humans. `address` is the address that was called. */
export function describeFailure(failure: ConnectionFailure, address: string): string {
  switch (failure.kind) {
    case "no-identity":
      return `there is no identity to call ${address} with: ${failure.problems.join("; ")}`;
    case "own-id":
      return `nothing was sent to ${address}: the expected SPIFFE ID of the server is ${failure.id}, which is also the SPIFFE ID of this client, so any workload that has it could impersonate the server; give Coffer its own SPIFFE ID`;
    case "unreachable":
      return `nothing answers at ${address}: ${inWords(failure.problem)}; check the address, and that the server runs`;
    case "handshake-failed":
      return `${address} does not complete a TLS 1.3 handshake: ${failure.problem}`;
    case "untrusted-server":
      return `the server at ${address} does not prove its identity (${failure.refusal.reason}): ${failure.refusal.detail}`;
    case "wrong-server":
      return `the server at ${address} is ${failure.got}, expected ${failure.expected}; nothing was sent to it`;
    case "closed-at-once":
      return `${failure.by} closed the connection right after the handshake: it probably refused ${failure.as}; see its log`;
    case "broken":
      return `the connection to ${address} broke during the call: ${inWords(failure.problem)}`;
    case "no-answer":
      return failure.wasSent
        ? `${address} did not answer in time; use a longer timeout, or see the server's log`
        : `there was no connection to ${address} in time, and nothing was sent; check the address, or use a longer timeout`;
  }
}

/** Descriptions of the operating system's error codes. Other codes are shown unchanged. */
const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the peer reset the connection",
  EPIPE: "the peer closed the connection",
  ENOENT: "there is no such socket",
  EACCES: "this user may not connect to the socket",
  ETIMEDOUT: "there was no answer",
  EHOSTUNREACH: "there is no route to the host",
  ENETUNREACH: "there is no route to its network",
};

/**
 * Describes a problem that grpc-js or Node reports. Both put the operating system's code into messages about their
 * internals.
 */
function inWords(problem: string): string {
  if (problem.startsWith("Name resolution failed")) return "its name can't be resolved";
  const code = /\bE[A-Z]{3,}\b/.exec(problem)?.[0] ?? "";
  return CODES[code] ?? problem;
}

/**
 * Describes why a TLS handshake failed. OpenSSL's message begins with the number of a thread and ends with a position
 * in its source code; the property `reason` has only the reason.
 */
export function handshakeProblem(error: NodeJS.ErrnoException & { readonly reason?: string }): string {
  if (NOT_TLS.has(error.code ?? ""))
    return "the server at this address does not speak TLS; it may be a port for plain HTTP";
  return error.reason ?? inWords(error.message);
}

/** The codes of OpenSSL for an answer whose first bytes are not a TLS record. */
const NOT_TLS = new Set([
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
  "ERR_SSL_HTTP_REQUEST",
  "ERR_SSL_UNSUPPORTED_PROTOCOL",
]);
