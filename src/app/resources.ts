import type { IdentitySource } from "../identity/source.ts";
import type { Logger } from "../observability/logger.ts";
import type { Timers } from "../domain/timers.ts";
import type { ServeConfig } from "./config.ts";
import { openIdentity } from "./identity-choice.ts";
import { PolicySource } from "./policy-source.ts";
import { asStartRefused, StartRefused } from "./start-refused.ts";
import { openStorage, type Storage } from "./storage.ts";

/** What the configuration names, opened. */
export interface Resources {
  /** May still have to wait for its first snapshot. */
  readonly identity: IdentitySource;
  readonly policy: PolicySource;
  readonly storage: Storage;
}

/**
 * Opens all that the configuration names, and reports all that is wrong with it together: then what could be opened is
 * closed again. Throws {@link StartRefused}.
 */
export function openResources(config: ServeConfig, { log, timers }: { log: Logger; timers: Timers }): Resources {
  const problems: string[] = [];
  const identity = openIdentity(config.identity, "server", timers);
  if (identity.state.kind === "failed") problems.push(...identity.state.problems);
  const policy = collect(problems, () => PolicySource.open({ file: config.policy, admins: config.admins, log }));
  const storage = collect(problems, () => openStorage(config.store));
  if (problems.length === 0) return { identity, policy: policy!, storage: storage! };
  // Files that are not there would be waited for; who has to mend something anyway may have mistyped their names.
  if (identity.state.kind === "waiting" && config.identity.kind === "files") problems.push(...identity.state.problems);
  identity.close();
  storage?.close();
  throw new StartRefused(problems);
}

function collect<T>(problems: string[], open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    problems.push(...asStartRefused(error).problems);
    return undefined;
  }
}
