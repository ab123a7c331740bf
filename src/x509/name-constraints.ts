import type { DerElement } from "./der.ts";
import { DerFields } from "./der-fields.ts";
import { type GeneralName, parseGeneralName } from "./general-name.ts";

/** The names that a CA may sign for (RFC 5280 4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;

/** Reads a nameConstraints extension. Throws MalformedDer. */
export function parseNameConstraints(element: DerElement): NameConstraints {
  const fields = new DerFields(element, "nameConstraints");
  const permitted = subtrees(fields.maybe(PERMITTED));
  const excluded = subtrees(fields.maybe(EXCLUDED));
  fields.end();
  return { permitted, excluded };
}

function subtrees(element: DerElement | undefined): GeneralName[] {
  return (element?.children ?? []).map((subtree) => {
    const fields = new DerFields(subtree, "a subtree of nameConstraints");
    const base = fields.any();
    fields.end(); // RFC 5280 allows neither minimum nor maximum.
    return parseGeneralName(base);
  });
}
