import { INSTANCE_FORM, isInstanceName } from "../contract/instance-name.ts";
import type { WatchRequest } from "../contract/messages.ts";
import { invalidOption } from "./client-error.ts";
import { checkSignal } from "./client-options.ts";
import { type NamesOf, checkOptions } from "./known-options.ts";
import { type Text, flagOf, textsOf } from "./request-fields.ts";
import { textOf } from "./values.ts";

/** The options of a watch. At least one path or prefix is required, and at most 128 together are allowed. */
export interface WatchOptions {
  /** The paths of secrets to watch. They do not have to exist. */
  readonly paths?: readonly Text[] | undefined;
  /** Prefixes of paths to watch: the first characters, as in `list`. An empty prefix means all paths. */
  readonly prefixes?: readonly Text[] | undefined;
  /** Whether events have the content of the newest version. True by default; needs the action read. */
  readonly withValues?: boolean | undefined;
  /**
   * The name of this instance of the workload in reports, such as the name of its pod: at most 253 of the characters A-Z
   * a-z 0-9 . _ -. Empty by default.
   */
  readonly instance?: string | undefined;
  /** Ends the watch with the code CANCELLED when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

const WATCH: NamesOf<WatchOptions> = {
  paths: true,
  prefixes: true,
  withValues: true,
  instance: true,
  signal: true,
};

/** The checked options of a watch. */
export interface WatchSettings {
  /** What each stream of the watch requests. Each adds the revision and the policy from which it continues. */
  readonly scope: Pick<WatchRequest, "paths" | "prefixes" | "withValues">;
  readonly instance: string;
  readonly signal: AbortSignal | undefined;
}

/** Checks the options of a watch. The server checks the grammar and the number of paths. Throws {@link ClientError}. */
export function readWatchOptions(options: WatchOptions): WatchSettings {
  const { withValues, instance, signal } = checkOptions(options, WATCH);
  const paths = textsOf("paths", options.paths);
  const prefixes = textsOf("prefixes", options.prefixes);
  if (paths.length + prefixes.length === 0) throw invalidOption("paths and prefixes are both empty; give at least one");
  checkSignal(signal);
  const name = textOf("instance", instance ?? "");
  // The server would refuse each report, and a cache does not show that.
  if (!isInstanceName(name)) throw invalidOption(`instance: expected ${INSTANCE_FORM}`);
  return {
    scope: { paths, prefixes, withValues: flagOf("withValues", withValues) ?? true },
    instance: name,
    signal,
  };
}
