import type { SecretDescription } from "../client/description.ts";
import { MAX_VERSIONS } from "../contract/limits.ts";
import { showLabels } from "./label-option.ts";
import { table } from "./printable.ts";
import { formatTtl } from "./expiry-text.ts";

/** The settings of a secret. */
export type SecretSettings = Omit<SecretDescription, "versions" | "latestVersion" | "convergence">;

/** A setting, as a row of a table. */
export interface ShownSetting {
  /** The name of the option of `metadata set`. */
  readonly name: string;
  readonly value: string;
  /** Whether it differs from that of a new secret. */
  readonly isSet: boolean;
}

/** Formats the settings of a secret as a table. */
export function settingsTable(settings: SecretSettings): string {
  return table([["SETTING", "VALUE"], ...shownSettings(settings).map(({ name, value }) => [name, value])]);
}

/** The settings of a secret in the order of the help text. */
export function shownSettings(settings: SecretSettings): readonly ShownSetting[] {
  const { maxVersions, labels, description, defaultTtlMs, casRequired } = settings;
  return [
    { name: "max-versions", value: String(maxVersions), isSet: maxVersions !== MAX_VERSIONS },
    { name: "labels", ...optional(showLabels(labels)) },
    { name: "description", ...optional(description) },
    { name: "default-ttl", ...optional(defaultTtlMs === undefined ? "" : formatTtl(defaultTtlMs)) },
    { name: "cas-required", value: casRequired ? "yes" : "no", isSet: casRequired },
  ];
}

function optional(value: string): Omit<ShownSetting, "name"> {
  return { value: value || "-", isSet: value !== "" };
}
