import { type ParsedNode, parseAllDocuments, type Document } from "yaml";
import type { Page } from "../support/pages.ts";

/** A Kubernetes object on a page. A schema checks `spec`. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly [field: string]: unknown;
}

export type Labels = Readonly<Record<string, string>>;

/** Every object in the YAML blocks of a page: everything with an apiVersion. */
export function manifestsIn(page: Page): Manifest[] {
  return documentsIn(page).filter((document): document is Manifest => Object.hasOwn(document, "apiVersion"));
}

/** Fields of a container that a page shows without the rest of the container. */
export function containerPartsIn(page: Page): object[] {
  return documentsIn(page).filter((document) => Object.hasOwn(document, "readinessProbe"));
}

/** Parsed with the YAML version of kubectl: 0400 is octal, and `on` is true. */
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
