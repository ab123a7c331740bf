import type { Authorizer } from "../authorization/authorizer.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { ChangeAuthorization } from "../store/change-authorization.ts";
import { denialError } from "./permits.ts";

/**
 * Authorizes changes once more at the moment at which the store makes them. A change can wait in the queue of the store, for
 * example while the disk stalls, and the policy can change meanwhile. A caller whose permission was withdrawn could otherwise
 * keep Copies of a secret in the queue, and read a value that is written after the withdrawal.
 */
export function authorizeChanges(authorizer: () => Authorizer): ChangeAuthorization {
  return (author) => {
    const caller = SpiffeId.parse(author);
    const current = authorizer();
    return (action, path) => {
      const decision = current.decide(caller, action, path);
      if (decision.kind === "denied") throw denialError(decision, caller, action, path);
    };
  };
}
