import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { SvidRefused } from "../spiffe/svid-refused.ts";

/** Why a call got no answer from the server that it was meant for. */
export type ConnectionFailure =
  /** We have no SVID to connect with, at the moment. Each problem is a sentence. The call was not sent. */
  | { readonly kind: "no-identity"; readonly problems: readonly string[] }
  /** We have the server's own SPIFFE ID, so that its proof of who it is would prove nothing. The call was not sent. */
  | { readonly kind: "own-id"; readonly id: SpiffeId }
  /** Nobody took the connection. The call was not sent. */
  | { readonly kind: "unreachable"; readonly problem: string }
  /** Somebody took the connection but not the TLS 1.3 handshake. The call was not sent. */
  | { readonly kind: "handshake-failed"; readonly problem: string }
  /** The server has no valid X.509-SVID of the bundle. The call was not sent. */
  | { readonly kind: "untrusted-server"; readonly refusal: SvidRefused }
  /** The server is somebody else. The call was not sent. */
  | { readonly kind: "wrong-server"; readonly expected: SpiffeId; readonly got: SpiffeId }
  /**
   * The connection was closed after a good handshake, before the server said anything. A TLS 1.3 client is done before
   * the server has looked at its certificate, and learns no more than this when that is refused. The call was not sent:
   * grpc-js sends none before the server's SETTINGS have arrived.
   */
  | { readonly kind: "closed-at-once"; readonly as: SpiffeId; readonly by: SpiffeId }
  /** The connection broke under the call. A change may have been applied. */
  | { readonly kind: "broken"; readonly problem: string }
  /** No answer came in time. If `wasSent`, a change may have been applied; the call was not sent otherwise. */
  | { readonly kind: "no-answer"; readonly wasSent: boolean };

/** The failure in a sentence, for a person at a terminal. `address` is where the server was sought. */
export function describeFailure(failure: ConnectionFailure, address: string): string {
  switch (failure.kind) {
    case "no-identity":
      return `there is no identity to call ${address} with: ${failure.problems.join("; ")}`;
    case "own-id":
      return `nothing was sent to ${address}: it should have the SPIFFE ID ${failure.id}, which is ours as well, so that every workload like us could pose as it; give Coffer an entry and a SPIFFE ID of its own`;
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
        ? `${address} took the call and did not answer in time; give it more time, or look at the server's log`
        : `there was no connection to ${address} in time, and nothing was sent; check the address, or give it more time`;
  }
}

/** What the system's codes mean here. Those that are not listed are shown as they are. */
const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the other end reset the connection",
  EPIPE: "the other end closed the connection",
  ENOENT: "there is no such socket",
  EACCES: "this user may not connect to the socket",
  ETIMEDOUT: "there was no answer",
  EHOSTUNREACH: "there is no way to the host",
  ENETUNREACH: "there is no way to its network",
};

/** A problem as grpc-js and Node tell it, in words: they wrap the system's code in names of their own parts. */
function inWords(problem: string): string {
  if (problem.startsWith("Name resolution failed")) return "its name can't be resolved";
  const code = /\bE[A-Z]{3,}\b/.exec(problem)?.[0] ?? "";
  return CODES[code] ?? problem;
}

/**
 * Why a TLS handshake failed, in words. OpenSSL's own message begins with a thread's number and ends with a line of its
 * source; its reason is a property.
 */
export function handshakeProblem(error: NodeJS.ErrnoException & { readonly reason?: string }): string {
  if (NOT_TLS.has(error.code ?? "")) return "what listens there does not speak TLS; it may be a port for plain HTTP";
  return error.reason ?? inWords(error.message);
}

/** How OpenSSL names the first bytes of an answer that is no TLS record. */
const NOT_TLS = new Set([
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
  "ERR_SSL_HTTP_REQUEST",
  "ERR_SSL_UNSUPPORTED_PROTOCOL",
]);
