import type { Authorizer } from "../authorization/authorizer.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { ChangeAuthorization } from "../store/change-authorization.ts";
import { denialError } from "./permits.ts";

// The maximum number of parsed SPIFFE IDs that are kept. To parse one takes longer than to decide.
const MAX_CALLERS = 1024;

/**
 * Authorizes changes once more at the moment at which the store makes them. A change can wait in the queue of the store, for
 * example while the disk stalls, and the policy can change meanwhile. A caller whose permission was withdrawn could otherwise
 * keep Copies of a secret in the queue, and read a value that is written after the withdrawal.
 */
export function authorizeChanges(authorizer: () => Authorizer): ChangeAuthorization {
  const callers = new Map<string, SpiffeId>();
  const callerOf = (author: string) => {
    const caller = callers.get(author) ?? SpiffeId.parse(author);
    if (callers.size === MAX_CALLERS) callers.clear();
    callers.set(author, caller);
    return caller;
  };
  return (author) => {
    const caller = callerOf(author);
    const current = authorizer();
    return (action, path) => {
      const decision = current.decide(caller, action, path);
      if (decision.kind === "denied") throw denialError(decision, caller, action, path);
    };
  };
}
