import { isUtf8 } from "node:buffer";
import { Scalar, stringify } from "yaml";
import type { Secret } from "../../client/read-secret.ts";
import { Content, type ContentEntry } from "../../domain/content.ts";
import { CommandFailed } from "../command-failed.ts";
import { checkDocument } from "./check-document.ts";
import { readEntries } from "../assignment.ts";
import type { ValueSurroundings } from "../value-source.ts";
import { readValues } from "./document-values.ts";
import { SecretDocument } from "../../files/secret-document.ts";

/**
 * Formats the content of a secret for an editor, as YAML: a text for each key, and `base64: TEXT` below the key of a
 * binary value. {@link parseEdited} returns the same content.
 */
export function formatForEditor({ path, version, content }: Pick<Secret, "path" | "version" | "content">): string {
  const values = new Map(content.entries().map((entry) => [entry.key, shownValue(entry)]));
  return `# ${path}, version ${version}. Saving a change writes a new version.
# A binary value is a mapping with the key base64. If a text contains # or begins with a
# special character, put it in quotes.
${stringify(values, { lineWidth: 0 })}`;
}

function shownValue({ kind, value }: ContentEntry): Scalar | { readonly base64: string } {
  const bytes = Buffer.from(value);
  return kind === "text" && isUtf8(bytes) ? shownText(bytes.toString()) : { base64: bytes.toString("base64") };
}

/**
 * A text of several lines is shown in quotes if it begins with white space. A block scalar needs an indentation indicator
 * for such a text (YAML 1.2, 8.1.1.1), and the writer of the library omits it if the first line has only spaces: the
 * text " \n" would lose its space.
 */
function shownText(text: string): Scalar {
  const scalar = new Scalar(text);
  if (/^\s[\s\S]*\n/.test(text)) scalar.type = Scalar.QUOTE_DOUBLE;
  return scalar;
}

/** Reads what an editor has written. Throws CommandFailed with all problems, none of which quotes the text. */
export async function parseEdited(bytes: Uint8Array, surroundings: ValueSurroundings): Promise<Content> {
  const document = new SecretDocument("line");
  const root = document.parse(bytes);
  const values = root ? readValues(document, root, "the document", ["base64"]) : [];
  checkDocument(document);
  if (values.length === 0) throw new CommandFailed("usage", "the document has no key; a secret has at least one");
  return Content.unchecked(await readEntries(values, surroundings, { allowEmpty: true }));
}
