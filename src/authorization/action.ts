import { InvalidRule, quoted } from "./invalid-rule.ts";

/**
 * An action that a rule can allow.
 * - read: read the content of any version of a secret (Get, BatchGet, the source of a Copy, a Restore, a guard of a
 *   Commit).
 * - write: add a version, or change the settings of a secret (Put, Patch, Restore, the target of a Copy, Metadata).
 * - delete: mark versions as deleted, and undo it (Delete, Undelete).
 * - destroy: remove content permanently (Destroy, Purge).
 * - list: list the paths of secrets (List).
 * - describe: see the versions of a secret with their authors and times, and its settings, without content (Describe).
 * - watch: receive changes of a secret, and report which version is in use (Watch, Report). The content also needs read.
 */
export type Action = "read" | "write" | "delete" | "destroy" | "list" | "describe" | "watch";

/** All actions, in the order in which messages list them. */
export const ACTIONS: readonly Action[] = ["read", "write", "delete", "destroy", "list", "describe", "watch"];

/** Parses the name of an action, which is case-sensitive. Throws {@link InvalidRule}. */
export function parseAction(text: string): Action {
  const action = ACTIONS.find((known) => known === text);
  if (action) return action;
  throw new InvalidRule(`unknown action ${quoted(text)}: expected ${ACTIONS.join(", ")}`);
}
