import type { ChangeCommand } from "./command.ts";

/** The plaintexts of a command, in the order of its operations. */
export function plaintextsOf({ operations }: ChangeCommand): Buffer[] {
  return operations.flatMap((operation) => ("plaintext" in operation ? [operation.plaintext] : []));
}

/** Overwrites the plaintexts of a command that has ended. */
export function overwritePlaintexts({ operations }: ChangeCommand): void {
  for (const operation of operations) if ("plaintext" in operation) operation.plaintext.fill(0);
}
