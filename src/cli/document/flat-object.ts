import type { Assignment } from "../assignment.ts";
import { CommandFailed } from "../command-failed.ts";
import { checkDocument } from "./check-document.ts";
import { readValues } from "./document-values.ts";
import { SecretDocument } from "../../files/secret-document.ts";

/**
 * Reads a flat JSON object, each key of which becomes a key of a secret. A number or a boolean becomes the text that is
 * written in the file. `name` begins the messages. Throws CommandFailed with all problems.
 */
export function readFlatObject(bytes: Uint8Array, name: string): readonly Assignment[] {
  const document = new SecretDocument(name);
  const root = document.parse(bytes);
  const values = root ? readValues(document, root, "the document", []) : [];
  checkDocument(document);
  if (values.length === 0) throw new CommandFailed("usage", `${name} has no key: expected a flat JSON object`);
  return values;
}
