import { MAX_LABELS } from "../contract/limits.ts";
import { limitExceeded } from "../domain/errors.ts";
import { surplus } from "./addition.ts";
import type { Label, MetadataCommand, OperationResult, SettingsUpdate } from "./command.ts";
import type { Fork } from "./draft.ts";
import { expectLatest } from "./expectation.ts";
import { type Stored, settingsOf, versionRef } from "./secret.ts";
import type { SettingsValues } from "./settings.ts";

/**
 * Plans a Metadata: changes settings, and prunes the versions that exceed a smaller max_versions. Throws
 * VERSION_MISMATCH, or LIMIT_EXCEEDED for the labels.
 */
export function planMetadata(fork: Fork, { path, update, expectedVersion }: MetadataCommand): OperationResult {
  const before = fork.get(path);
  expectLatest(before, path, expectedVersion);
  const current = settingsOf(before);
  const settings = updated(current, update, before);
  if (before?.kind !== "secret" || !isEqual(current, settings)) {
    const pruned = surplus(before, settings.maxVersions).map(versionRef);
    fork.apply({ kind: "settings", path, time: fork.time, author: fork.author, settings, pruned });
  }
  return { versions: [], expireTime: undefined };
}

function updated(current: SettingsValues, update: SettingsUpdate, before: Stored | undefined): SettingsValues {
  const maxVersions = update.maxVersions ?? current.maxVersions;
  const defaultTtl = update.defaultTtl ?? current.defaultTtl;
  return {
    maxVersions,
    labels: updatedLabels(current.labels, update),
    description: update.description ?? current.description,
    defaultTtl: defaultTtl === 0 ? undefined : defaultTtl,
    casRequired: update.casRequired ?? current.casRequired,
    firstVersion:
      maxVersions === current.maxVersions ? current.firstVersion : lowestRetained(before, maxVersions, current),
  };
}

/** The lowest version number that is retained after max_versions has changed. */
function lowestRetained(before: Stored | undefined, maxVersions: number, { firstVersion }: SettingsValues): number {
  if (before?.kind !== "secret") return firstVersion;
  return before.versions[surplus(before, maxVersions).length]?.number ?? firstVersion;
}

function updatedLabels(current: readonly Label[], { setLabels, removedLabels }: SettingsUpdate): readonly Label[] {
  if (setLabels.length + removedLabels.length === 0) return current;
  const labels = new Map(current);
  for (const key of removedLabels) labels.delete(key);
  for (const [key, value] of setLabels) labels.set(key, value);
  if (labels.size > MAX_LABELS) throw limitExceeded("labels", MAX_LABELS, "labels", labels.size, "the secret");
  return [...labels].sort(([left], [right]) => (left < right ? -1 : 1));
}

function isEqual(left: SettingsValues, right: SettingsValues): boolean {
  return (
    left.maxVersions === right.maxVersions &&
    left.description === right.description &&
    left.defaultTtl === right.defaultTtl &&
    left.casRequired === right.casRequired &&
    left.labels.length === right.labels.length &&
    left.labels.every(([key, value], i) => key === right.labels[i]?.[0] && value === right.labels[i][1])
  );
}
