import type { Policy } from "../authorization/policy.ts";
import { readPolicy } from "../authorization/policy-file.ts";
import type { ObservedFile } from "../files/observed-file.ts";

/**
 * The content of a policy file: a policy, or at least one problem. A problem at one place in the file begins with
 * `file:line:column:`, as compilers write it, so that editors can jump to the place.
 */
export type PolicyFileReading =
  | { readonly kind: "policy"; readonly policy: Policy }
  | { readonly kind: "problems"; readonly problems: readonly string[] };

/** Parses the last observed content of the file. An empty or missing file is a problem, not a policy without rules. */
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
