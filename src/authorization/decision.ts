import type { Rule } from "./policy.ts";

/** The answer to "may this caller do this?". A later release can add to it what was nearly enough. */
export type Decision =
  /** `by` is one rule that allows it; others may allow it as well. */
  | { readonly kind: "allowed"; readonly by: Rule }
  /** No rule allows it, or the caller has the server's own SPIFFE ID, to which no rule applies. */
  | { readonly kind: "denied"; readonly because: "no rule" | "the server's own SPIFFE ID" };

/** What decided, for a log: the name of the rule, or why none of them counts. */
export function decidedBy(decision: Decision): string {
  return decision.kind === "allowed" ? decision.by.name : decision.because;
}
