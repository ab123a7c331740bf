import type { Action } from "../authorization/action.ts";
import { Authorizer } from "../authorization/authorizer.ts";
import type { Decision } from "../authorization/decision.ts";
import { ObservedFile } from "../files/observed-file.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import { processTimers } from "../domain/timers.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { readPolicyFile } from "./policy-reading.ts";
import { StartRefused } from "../domain/start-refused.ts";

/** The question whether a caller may perform an action on a path. */
export interface PolicyQuestion {
  readonly caller: SpiffeId;
  readonly action: Action;
  readonly path: SecretPath;
}

/** A policy file, checked without a server. */
export interface CheckedPolicy {
  /** The number of its rules. */
  readonly rules: number;
  /** The decision of a server with this policy, if the caller does not have the server's own SPIFFE ID. */
  decide(question: PolicyQuestion): Decision;
}

/**
 * Reads a policy file like a server that starts with this file and these admins. Throws {@link StartRefused} with all
 * problems of the file, as that server would.
 */
export function checkPolicy(file: string, admins: readonly SpiffeId[]): CheckedPolicy {
  const reading = readPolicyFile(ObservedFile.trusted(file, processTimers));
  if (reading.kind === "problems") throw new StartRefused(reading.problems);
  const { policy } = reading;
  const authorizer = new Authorizer({ policy, admins, epoch: 1 });
  return {
    rules: policy.rules.length,
    decide: ({ caller, action, path }) => authorizer.decide(caller, action, path),
  };
}
