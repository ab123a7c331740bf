import type { SecretDocument } from "../../files/secret-document.ts";
import { CommandFailed } from "../command-failed.ts";

/** Throws CommandFailed with all problems of a document, if it has any. */
export function checkDocument(document: SecretDocument): void {
  const problems = document.problems();
  if (problems.length > 0) throw new CommandFailed("usage", problems.join("\n"));
}
