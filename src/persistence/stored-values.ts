import {
  MAX_CONFIGURABLE_VERSIONS,
  MAX_DESCRIPTION_BYTES,
  MAX_LABELS,
  MAX_TTL_MS,
  MIN_TTL_MS,
} from "../contract/limits.ts";
import type { Label } from "../store/command.ts";
import type { AnsweredRequest } from "../store/journal.ts";
import type { SettingsValues } from "../store/settings.ts";
import { idOfBytes, parsed, resultsOf } from "./request-rows.ts";
import type { RequestRow, SettingsRow } from "./stored-row.ts";

/** Whether a release can have written these settings. */
export function isValidSettings(row: SettingsRow): boolean {
  const { maxVersions, labels, description, defaultTtl, firstVersion } = row;
  return (
    isWithin(maxVersions, 1, MAX_CONFIGURABLE_VERSIONS) &&
    (defaultTtl === null || isWithin(defaultTtl, MIN_TTL_MS, MAX_TTL_MS)) &&
    isWithin(firstVersion, 1, Number.MAX_SAFE_INTEGER) &&
    Buffer.byteLength(description) <= MAX_DESCRIPTION_BYTES &&
    labelsOf(labels) !== undefined
  );
}

/** The settings of a row. Call it only if {@link isValidSettings}. */
export function settingsOf(row: SettingsRow): SettingsValues {
  const { maxVersions, description, firstVersion } = row;
  const labels = labelsOf(row.labels) ?? [];
  const defaultTtl = row.defaultTtl ?? undefined;
  return { maxVersions, labels, description, defaultTtl, casRequired: row.casRequired === 1, firstVersion };
}

/**
 * Whether a release can have written this request. If the revision of the answer is earlier than that of the row, the
 * request changed nothing.
 */
export function isValidRequest({ at, results, answerRevision }: RequestRow): boolean {
  return resultsOf(results) !== undefined && (answerRevision === null || isWithin(answerRevision, 1, at - 1));
}

/** The request of a row. Call it only if {@link isValidRequest}. */
export function requestOf({ author: caller, id, digest, time, results, answerRevision }: RequestRow): AnsweredRequest {
  const revision = answerRevision ?? undefined;
  return { caller, id: idOfBytes(id), digest, time, results: resultsOf(results) ?? [], revision };
}

/** The labels of a column `labels`, ascending by key. Undefined if no release writes this text. */
function labelsOf(text: string): readonly Label[] | undefined {
  const labels = parsed(text);
  if (!Array.isArray(labels) || labels.length > MAX_LABELS || !labels.every(isLabel)) return undefined;
  const isAscending = labels.every(([key], i) => i === 0 || (labels[i - 1]?.[0] ?? "") < key);
  return isAscending ? labels : undefined;
}

function isLabel(label: unknown): label is Label {
  return Array.isArray(label) && label.length === 2 && label.every((part) => typeof part === "string");
}

function isWithin(number: number, lowest: number, highest: number): boolean {
  return Number.isSafeInteger(number) && number >= lowest && number <= highest;
}
