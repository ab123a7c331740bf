import type { SpiffeId } from "../identity/spiffe-id.ts";
import type { SvidRefused } from "../identity/svid-refused.ts";

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
  | { readonly kind: "broken"; readonly problem: string };

/** The failure in a sentence, for a person at a terminal. `address` is where the server was sought. */
export function describeFailure(failure: ConnectionFailure, address: string): string {
  switch (failure.kind) {
    case "no-identity":
      return `there is no identity to call ${address} with: ${failure.problems.join("; ")}`;
    case "own-id":
      return `nothing was sent to ${address}: it should have the SPIFFE ID ${failure.id}, which is ours as well, so that every workload like us could pose as it; give Coffer an entry and a SPIFFE ID of its own`;
    case "unreachable":
      return `nothing answers at ${address}: ${failure.problem}`;
    case "handshake-failed":
      return `${address} does not complete a TLS 1.3 handshake: ${failure.problem}`;
    case "untrusted-server":
      return `the server at ${address} does not prove its identity (${failure.refusal.reason}): ${failure.refusal.detail}`;
    case "wrong-server":
      return `the server at ${address} is ${failure.got}, expected ${failure.expected}; nothing was sent to it`;
    case "closed-at-once":
      return `${failure.by} closed the connection right after the handshake: it probably refused ${failure.as}; see its log`;
    case "broken":
      return `the connection to ${address} broke during the call: ${failure.problem}`;
  }
}
