import { MAX_LABEL_BYTES, MAX_LABEL_PREFIX_BYTES } from "../contract/limits.ts";
import { invalidField, limitExceeded } from "./errors.ts";

// Kubernetes, "Labels and Selectors", "Syntax and character set". The prefix is a DNS subdomain (RFC 1123).
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/**
 * Checks labels that a caller sent: each key and value has the grammar of Kubernetes' labels, and no key occurs twice.
 * Throws INVALID_FIELD or LIMIT_EXCEEDED for `field`.
 */
export function checkLabels(field: string, labels: readonly (readonly [key: string, value: string])[]): void {
  checkLabelKeys(
    field,
    labels.map(([key]) => key),
  );
  for (const [, value] of labels) checkValue(field, value);
}

/** As {@link checkLabels}, for keys alone. */
export function checkLabelKeys(field: string, keys: readonly string[]): void {
  const seen = new Set<string>();
  for (const key of keys) {
    checkKey(field, key);
    if (seen.has(key)) throw invalidField(field, `contains the label ${key} a second time`);
    seen.add(key);
  }
}

function checkKey(field: string, key: string): void {
  const slash = key.indexOf("/");
  if (slash !== -1) checkPrefix(field, key, key.slice(0, slash));
  const name = key.slice(slash + 1);
  checkLength(field, "the name of a label", name, MAX_LABEL_BYTES);
  if (!NAME.test(name)) throw invalidField(field, `contains the label ${JSON.stringify(key)}; ${NAME_RULE}`);
}

function checkPrefix(field: string, key: string, prefix: string): void {
  checkLength(field, "the prefix of a label", prefix, MAX_LABEL_PREFIX_BYTES);
  if (SUBDOMAIN.test(prefix)) return;
  throw invalidField(field, `contains the label ${JSON.stringify(key)}; the part before / must be a DNS subdomain`);
}

function checkValue(field: string, value: string): void {
  checkLength(field, "the value of a label", value, MAX_LABEL_BYTES);
  if (value === "" || NAME.test(value)) return;
  throw invalidField(field, `contains the value ${JSON.stringify(value)} of a label; ${NAME_RULE}`);
}

const NAME_RULE = "allowed are A-Z a-z 0-9 . _ -, of which the first and the last must be a letter or a digit";

function checkLength(field: string, subject: string, text: string, limit: number): void {
  const bytes = Buffer.byteLength(text);
  if (bytes > limit) throw limitExceeded(field, limit, "bytes", bytes, subject);
}
