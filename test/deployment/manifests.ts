import { type ParsedNode, parseAllDocuments, type Document } from "yaml";
import type { Page } from "../support/pages.ts";

/** An object of Kubernetes as a page has it. What stands in `spec` is for a schema to judge. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly [field: string]: unknown;
}

export type Labels = Readonly<Record<string, string>>;

/** Every object in the YAML blocks of a page: whatever says which version of which API it is meant for. */
export function manifestsIn(page: Page): Manifest[] {
  return documentsIn(page).filter((document): document is Manifest => Object.hasOwn(document, "apiVersion"));
}

/** Fields of a container that a page shows without the rest of it. */
export function containerPartsIn(page: Page): object[] {
  return documentsIn(page).filter((document) => Object.hasOwn(document, "readinessProbe"));
}

/** In the version of YAML that kubectl speaks: there 0400 is octal, and `on` is true. */
function documentsIn({ path, text }: Page): object[] {
  const blocks = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block]) => block!);
  return blocks
    .flatMap((block) => parseAllDocuments(block, { version: "1.1" }))
    .map((document) => parsed(document, path));
}

function parsed(document: Document<ParsedNode>, path: string): object {
  const [error] = document.errors;
  if (error !== undefined) throw new Error(`${path}: ${error.message}`);
  return document.toJS() as object;
}
