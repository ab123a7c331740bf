import type { Action } from "../authorization/action.ts";
import { Authorizer } from "../authorization/authorizer.ts";
import type { Decision } from "../authorization/decision.ts";
import { ObservedFile } from "../files/observed-file.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import { processTimers } from "../domain/timers.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { readPolicyFile } from "./policy-reading.ts";
import { StartRefused } from "../domain/start-refused.ts";

/** May this caller do this? */
export interface PolicyQuestion {
  readonly caller: SpiffeId;
  readonly action: Action;
  readonly path: SecretPath;
}

/** A policy file without a server around it. */
export interface CheckedPolicy {
  /** How many rules it has. */
  readonly rules: number;
  /** What a server with this file would answer. */
  decide(question: PolicyQuestion): Decision;
}

/**
 * Reads a policy file as a server does that is started with it and with these admins. Throws {@link StartRefused} with
 * everything that is wrong with it, as that server would.
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
