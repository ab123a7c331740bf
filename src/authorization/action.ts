import { InvalidRule, quoted } from "./invalid-rule.ts";

/**
 * What a rule can allow.
 * - read: the content of a secret, in any version (Get).
 * - write: a new version (Put).
 * - delete: to mark versions as deleted (Delete).
 * - list: the names of secrets (List).
 * - describe: everything about a secret but its content: all versions, their authors and their times (Describe).
 */
export type Action = "read" | "write" | "delete" | "list" | "describe";

/** Every action, in the order in which texts name them. */
export const ACTIONS: readonly Action[] = ["read", "write", "delete", "list", "describe"];

/** The action of that name, spelt exactly so. Throws {@link InvalidRule}. */
export function parseAction(text: string): Action {
  const action = ACTIONS.find((known) => known === text);
  if (action) return action;
  throw new InvalidRule(`invalid action ${quoted(text)}: expected one of ${ACTIONS.join(", ")}`);
}
