/** The result of reading a `grpc-timeout` header. `header` is the value to pass to grpc-js, `ms` the same in milliseconds. */
export type GrpcTimeout =
  | { readonly kind: "none" }
  | { readonly kind: "timeout"; readonly header: string; readonly ms: number }
  | { readonly kind: "malformed" };

// TimeoutValue and TimeoutUnit in gRPC over HTTP/2 ("Requests"): one to eight digits, and a unit.
const GRAMMAR = /^(\d{1,8})([HMSmun])$/;

const SECONDS: Readonly<Record<string, number>> = { H: 3600, M: 60, S: 1, m: 1e-3, u: 1e-6, n: 1e-9 };

// The longest that Node's timers can wait, in whole seconds: 2^31 - 1 milliseconds, 24 days.
const LONGEST_S = 2_147_483;

/**
 * Reads the header. A timeout longer than a timer can wait is replaced by the longest one. grpc-js computes timeouts
 * modulo 2^32 milliseconds and passes them to a timer that accepts at most 2^31 - 1. Without the replacement, a caller
 * with a deadline of 30 days would get DEADLINE_EXCEEDED immediately, although its change is applied.
 */
export function readTimeout(header: string | string[] | undefined): GrpcTimeout {
  if (header === undefined) return { kind: "none" };
  const text = String(header);
  const [, digits, unit] = GRAMMAR.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return { kind: "malformed" };
  const seconds = Number(digits) * (SECONDS[unit] ?? 0);
  const bounded = seconds > LONGEST_S ? `${LONGEST_S}S` : text;
  return { kind: "timeout", header: bounded, ms: 1000 * Math.min(seconds, LONGEST_S) };
}
