import type { SecretPath } from "../domain/secret-path.ts";
import type { OperationCommand } from "./command.ts";

/** An action that a command requires of the policy. */
type ActionOfChange = "read" | "write" | "delete" | "destroy";

/**
 * Authorizes the commands of a caller, who is named by the SPIFFE ID, by the policy in force. The returned function throws
 * ACCESS_DENIED.
 */
export type ChangeAuthorization = (author: string) => (action: ActionOfChange, path: SecretPath) => void;

/** Accepts every command. For a store whose caller authorizes them. */
export const AUTHORIZED_BEFORE: ChangeAuthorization = () => () => {};

/** A permission that an operation requires. */
export type Requirement = readonly [action: ActionOfChange, path: SecretPath];

/** What an operation requires: the same as the permits from which the engine makes it. A guard requires read. */
export function requiredBy(operation: OperationCommand): readonly Requirement[] {
  switch (operation.kind) {
    case "put":
    case "patch":
    case "metadata":
      return [["write", operation.path]];
    case "copy":
      return [
        ["read", operation.source],
        ["write", operation.path],
      ];
    case "delete":
    case "undelete":
      return [["delete", operation.path]];
    case "destroy":
    case "purge":
      return [["destroy", operation.path]];
  }
}
