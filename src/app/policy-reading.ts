import type { Policy } from "../authorization/policy.ts";
import { readPolicy } from "../authorization/policy-file.ts";
import type { ObservedFile } from "../files/observed-file.ts";

/**
 * What a policy file holds: a policy, or everything that is wrong with it, at least one sentence for people. What is
 * wrong in one place begins with `file:line:column:`, as compilers write it, so that editors find the place.
 */
export type PolicyFileReading =
  | { readonly kind: "policy"; readonly policy: Policy }
  | { readonly kind: "problems"; readonly problems: readonly string[] };

/** Reads what the file held when it was last looked at. A file that is empty or absent is a problem, not no rules. */
export function readPolicyFile({ path, reading }: ObservedFile): PolicyFileReading {
  if (reading.kind === "absent") return oneProblem(`the policy ${path} ${reading.problem}`);
  if (reading.kind === "unusable") return oneProblem(`the policy ${reading.problem}`);
  const policy = readPolicy(reading.bytes);
  if (policy.kind === "policy") return policy;
  const places = policy.problems.map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`);
  return { kind: "problems", problems: places };
}

function oneProblem(sentence: string): PolicyFileReading {
  return { kind: "problems", problems: [sentence] };
}
