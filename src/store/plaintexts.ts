import type { ChangeCommand } from "./command.ts";

/** The plaintexts of a command, in the order of its operations. */
export function plaintextsOf({ operations }: ChangeCommand): Buffer[] {
  const plaintexts: Buffer[] = [];
  for (const operation of operations) if ("plaintext" in operation) plaintexts.push(operation.plaintext);
  return plaintexts;
}

/** Overwrites the plaintexts of a command that has ended. */
export function overwritePlaintexts(command: ChangeCommand): void {
  for (const plaintext of plaintextsOf(command)) plaintext.fill(0);
}
