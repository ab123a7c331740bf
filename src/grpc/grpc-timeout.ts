/** What a `grpc-timeout` header comes to: what grpc-js is to read, or why it is not a timeout. */
export type GrpcTimeout =
  | { readonly kind: "none" }
  | { readonly kind: "timeout"; readonly header: string }
  | { readonly kind: "malformed" };

// TimeoutValue and TimeoutUnit of gRPC over HTTP/2 ("Requests"): one to eight digits, and a unit.
const GRAMMAR = /^(\d{1,8})([HMSmun])$/;

const SECONDS: Readonly<Record<string, number>> = { H: 3600, M: 60, S: 1, m: 1e-3, u: 1e-6, n: 1e-9 };

// The longest that Node's timers can wait, in whole seconds: 2^31 - 1 milliseconds, 24 days.
const LONGEST_S = 2_147_483;

/**
 * Reads the header. A longer timeout becomes the longest that a timer can wait: grpc-js computes it modulo 2^32
 * milliseconds and gives it to a timer that takes 2^31 - 1, so that a caller with a deadline of 30 days would be answered
 * DEADLINE_EXCEEDED at once, for a change that is applied.
 */
export function readTimeout(header: string | string[] | undefined): GrpcTimeout {
  if (header === undefined) return { kind: "none" };
  const text = String(header);
  const [, digits, unit] = GRAMMAR.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return { kind: "malformed" };
  const seconds = Number(digits) * (SECONDS[unit] ?? 0);
  return { kind: "timeout", header: seconds > LONGEST_S ? `${LONGEST_S}S` : text };
}
