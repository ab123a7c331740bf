import type { SecretDescription } from "../client/description.ts";
import { showLabels } from "./label-option.ts";
import { table } from "./printable.ts";
import { formatTtl } from "./expiry-text.ts";

/** The settings of a secret. */
export type SecretSettings = Omit<SecretDescription, "versions" | "latestVersion">;

/** Formats the settings of a secret as a table. */
export function settingsTable(settings: SecretSettings): string {
  return table([["SETTING", "VALUE"], ...settingRows(settings)]);
}

/** The settings as rows of a table: the name of the option of `metadata set`, and the value. */
export function settingRows(settings: SecretSettings): readonly (readonly string[])[] {
  const { maxVersions, labels, description, defaultTtlMs, casRequired } = settings;
  return [
    ["max-versions", String(maxVersions)],
    ["labels", showLabels(labels) || "-"],
    ["description", description || "-"],
    ["default-ttl", defaultTtlMs === undefined ? "-" : formatTtl(defaultTtlMs)],
    ["cas-required", casRequired ? "yes" : "no"],
  ];
}
