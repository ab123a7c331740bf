import type { Rule } from "./policy.ts";

/** Whether a caller may perform an action. */
export type Decision =
  /** `by` is the first rule that allows it. Other rules can allow it too. */
  | { readonly kind: "allowed"; readonly by: Rule }
  /** No rule allows it, or the caller has the server's own SPIFFE ID, to which no rule applies. */
  | { readonly kind: "denied"; readonly because: "no rule" | "the server's own SPIFFE ID" };

/** The reason of a decision, for the log: the name of the rule, or why the caller is denied. */
export function decidedBy(decision: Decision): string {
  return decision.kind === "allowed" ? decision.by.name : decision.because;
}
