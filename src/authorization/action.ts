import { InvalidRule, quoted } from "./invalid-rule.ts";

/**
 * An action that a rule can allow.
 * - read: read the content of any version of a secret (Get).
 * - write: add a version (Put).
 * - delete: mark versions as deleted (Delete).
 * - list: list the paths of secrets (List).
 * - describe: see the versions of a secret with their authors and times, without their content (Describe).
 */
export type Action = "read" | "write" | "delete" | "list" | "describe";

/** All actions, in the order in which messages list them. */
export const ACTIONS: readonly Action[] = ["read", "write", "delete", "list", "describe"];

/** Parses the name of an action, which is case-sensitive. Throws {@link InvalidRule}. */
export function parseAction(text: string): Action {
  const action = ACTIONS.find((known) => known === text);
  if (action) return action;
  throw new InvalidRule(`unknown action ${quoted(text)}: expected ${ACTIONS.join(", ")}`);
}
