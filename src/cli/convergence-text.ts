import { type Convergence, type LaggingWatcher, ReportState } from "../contract/messages.ts";
import { printable } from "./printable.ts";

/**
 * Describes which watchers use the newest version, as a line: "37 of 40 watchers use version 7; still on 6: …". The
 * watchers without a report come first, as in the answer.
 */
export function convergenceText({ watchers, converged, behind }: Convergence, latestVersion: number): string {
  if (watchers === 0) return "no watchers\n";
  const unnamed = watchers - converged - behind.length;
  const parts = [
    `${converged} of ${watchers} watchers use version ${latestVersion}`,
    ...[...byVersion(behind)].map(groupText),
    ...(unnamed > 0 ? [`and ${unnamed} more`] : []),
  ];
  return `${printable(parts.join("; "))}\n`;
}

function byVersion(watchers: readonly LaggingWatcher[]): ReadonlyMap<number, readonly LaggingWatcher[]> {
  const groups = new Map<number, LaggingWatcher[]>();
  for (const watcher of watchers) groups.set(watcher.version, [...(groups.get(watcher.version) ?? []), watcher]);
  return groups;
}

function groupText([version, watchers]: readonly [version: number, watchers: readonly LaggingWatcher[]]): string {
  return `${version === 0 ? "no report" : `still on ${version}`}: ${watchers.map(watcherText).join(", ")}`;
}

function watcherText({ spiffeId, instance }: LaggingWatcher): string {
  return instance === "" ? spiffeId : `${spiffeId} (${instance})`;
}

/** The convergence for JSON, with the names of states instead of their numbers. */
export function namedConvergence({ behind, ...counts }: Convergence): object {
  return { ...counts, behind: behind.map(({ state, ...watcher }) => ({ ...watcher, state: reportName(state) })) };
}

function reportName(state: number): string {
  if (state === ReportState.received) return "RECEIVED";
  return state === ReportState.inUse ? "IN_USE" : "NONE";
}
