import { isMap, type ParsedNode } from "yaml";
import type { Assignment } from "../assignment.ts";
import type { ValueSource } from "../value-source.ts";
import type { DocumentField, SecretDocument } from "../../files/secret-document.ts";

/** The forms of a value other than a text: a mapping with one of these keys. */
export type ValueForm = "file" | "env" | "base64";

/**
 * Reads a mapping of keys to values. A value is a text, a number or a boolean, or a mapping with one of `forms`:
 * `{file: NAME}`, `{env: VARIABLE}` or `{base64: TEXT}`.
 */
export function readValues(
  document: SecretDocument,
  node: ParsedNode,
  what: string,
  forms: readonly ValueForm[],
): readonly Assignment[] {
  return document.fields(node, what).flatMap((field) => {
    const source = sourceOf(document, field, forms);
    return source === undefined ? [] : [{ key: field.key, source }];
  });
}

/** Reads a mapping of keys to bytes in base64, as in the JSON encoding of the API. */
export function readBase64Values(document: SecretDocument, node: ParsedNode, what: string): readonly Assignment[] {
  return document.fields(node, what).flatMap(({ key, at, value }) => {
    const source = value === null ? document.reject(at, "the key has no value") : base64Of(document, value);
    return source === undefined ? [] : [{ key, source }];
  });
}

function sourceOf(document: SecretDocument, { at, value }: DocumentField, forms: readonly ValueForm[]) {
  if (value === null) return document.reject(at, "the key has no value");
  if (isMap(value) && forms.length > 0) return referenceOf(document, value, forms);
  const text = document.text(value, "a value");
  return text === undefined ? undefined : ({ kind: "literal", text } satisfies ValueSource);
}

function referenceOf(document: SecretDocument, node: ParsedNode, forms: readonly ValueForm[]): ValueSource | undefined {
  const [field, second] = document.fields(node, "a value");
  const form = forms.find((known) => known === field?.key);
  if (form === undefined || !field?.value || second !== undefined) {
    return document.reject(node, `a value must be a text, or a mapping with ${oneOf(forms)}`);
  }
  if (form === "base64") return base64Of(document, field.value);
  const name = document.text(field.value, form);
  if (name === undefined) return undefined;
  return form === "file" ? { kind: "file", file: name } : { kind: "variable", name };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Line breaks are ignored, because base64(1) and YAML's block texts add them (RFC 4648, 3.1). */
function base64Of(document: SecretDocument, node: ParsedNode): ValueSource | undefined {
  const text = document.text(node, "base64")?.replace(/\s/g, "");
  if (text === undefined) return undefined;
  if (!BASE64.test(text)) return document.reject(node, "the value is not base64");
  return { kind: "bytes", bytes: Buffer.from(text, "base64") };
}

function oneOf(forms: readonly ValueForm[]): string {
  return forms.length === 1 ? `the key ${forms[0]}` : `one of the keys ${forms.join(", ")}`;
}
