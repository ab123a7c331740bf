import { VersionState } from "../contract/messages.ts";
import type { AddedVersion } from "../contract/change-messages.ts";
import { showTime } from "./printable.ts";

/** Describes a version that was added: `shop/api/db version 3 (revision 17), expires …`. */
export function showAdded({ path, version, revision, expireTime }: AddedVersion): string {
  const expiry = expireTime === undefined ? "" : `, expires ${showTime(expireTime)}`;
  return `${path} version ${version} (revision ${revision})${expiry}\n`;
}

/** The name of a state, such as "LIVE". A newer server may send a state without a name. */
export function stateName(state: number): string {
  const found = Object.entries(VersionState).find(([, number]) => number === state);
  return found === undefined ? `STATE ${state}` : found[0].toUpperCase();
}

/** Names versions in a sentence: "version 1", "versions 1, 2", or "the newest version" for an empty list. */
export function versionList(versions: readonly number[] = []): string {
  if (versions.length === 0) return "the newest version";
  return `version${versions.length > 1 ? "s" : ""} ${versions.join(", ")}`;
}
