import type { ReloadableSource } from "../identity/source.ts";
import type { Logger } from "../observability/logger.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { openIdentity } from "./open-identity.ts";
import { PolicySource } from "./policy-source.ts";
import { asStartRefused, StartRefused } from "../domain/start-refused.ts";
import type { Storage } from "./storage.ts";
import { openStorageWhenFree, type StorageWait } from "./storage-wait.ts";

/** What the configuration names, opened. */
export interface Resources {
  /** May still have to wait for its first snapshot. */
  readonly identity: ReloadableSource;
  readonly policy: PolicySource;
  readonly storage: Storage;
}

/** What opening them needs. */
export type Opening = Omit<StorageWait, "maxMs"> & { readonly log: Logger };

/** Those of them that could be opened. */
type Opened = { readonly [Name in keyof Resources]?: Resources[Name] | undefined };

/**
 * Opens all that the configuration names, and reports all that is wrong with it together: then what could be opened is
 * closed again. Undefined when it had to wait for another server and was told to end. Throws {@link StartRefused}.
 */
export async function openResources(config: ServeConfig, opening: Opening): Promise<Resources | undefined> {
  const { log, timers } = opening;
  const problems: string[] = [];
  const identity = await openIdentity(config.identity, "server", timers);
  if (identity.state.kind === "failed") problems.push(...identity.state.problems);
  const policy = await collect(problems, () =>
    PolicySource.open({ file: config.policy, admins: config.admins, log, timers }),
  );
  // Who has something to mend is told so now, and not after the wait.
  const maxMs = problems.length === 0 ? config.lockWaitMs : 0;
  const storage = await collect(problems, () => openStorageWhenFree(config.store, { ...opening, maxMs }));
  if (problems.length === 0 && policy !== undefined && storage !== undefined) return { identity, policy, storage };
  // Files that are not there would be waited for; who has to mend something anyway may have mistyped their names.
  const isAbsent = identity.state.kind === "waiting" && config.identity.kind === "files";
  const absent = isAbsent ? identity.state.problems : [];
  closeResources({ identity, policy, storage });
  if (problems.length === 0) return undefined;
  throw new StartRefused([...problems, ...absent]);
}

/** Closes what was opened. */
export function closeResources({ identity, policy, storage }: Opened): void {
  identity?.close();
  policy?.close();
  storage?.close();
}

async function collect<T>(problems: string[], open: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await open();
  } catch (error) {
    problems.push(...asStartRefused(error).problems);
    return undefined;
  }
}
