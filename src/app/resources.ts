import type { ReloadableSource } from "../identity/source.ts";
import type { Logger } from "../observability/logger.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { openSource } from "../workload-api/open-source.ts";
import { PolicySource } from "./policy-source.ts";
import { asStartRefused, StartRefused } from "../domain/start-refused.ts";
import type { Storage } from "../storage/storage.ts";
import { openStorageWhenFree, type StorageWait } from "../storage/storage-wait.ts";

/** The resources that the configuration names, opened. */
export interface Resources {
  /** It may not have its first snapshot yet. */
  readonly identity: ReloadableSource;
  readonly policy: PolicySource;
  readonly storage: Storage;
}

/** The dependencies of {@link openResources}. */
export type Opening = Omit<StorageWait, "maxMs"> & { readonly log: Logger };

/** The resources that could be opened. */
type Opened = { readonly [Name in keyof Resources]?: Resources[Name] | undefined };

/**
 * Opens all resources that the configuration names. If any can't be opened, closes the others and throws
 * {@link StartRefused} with all problems together. Resolves with undefined if `signal` was aborted while it waited for
 * another server to close the store.
 */
export async function openResources(config: ServeConfig, opening: Opening): Promise<Resources | undefined> {
  const { log, timers } = opening;
  const problems: string[] = [];
  const identity = await openSource(config.identity, "server", timers);
  if (identity.state.kind === "failed") problems.push(...identity.state.problems);
  const policy = await collect(problems, () =>
    PolicySource.open({ file: config.policy, admins: config.admins, log, timers }),
  );
  // With other problems the start fails anyway, so it does not wait for the lock before it reports them.
  const maxMs = problems.length === 0 ? config.lockWaitMs : 0;
  const storage = await collect(problems, () => openStorageWhenFree(config.store, { ...opening, maxMs }));
  if (problems.length === 0 && policy !== undefined && storage !== undefined) return { identity, policy, storage };
  // If only identity files are missing, the server waits for them. If there are other problems, the missing files are
  // reported too, because their names may be mistyped.
  const isAbsent = identity.state.kind === "waiting" && config.identity.kind === "files";
  const absent = isAbsent ? identity.state.problems : [];
  closeResources({ identity, policy, storage });
  if (problems.length === 0) return undefined;
  throw new StartRefused([...problems, ...absent]);
}

/** Closes the resources that were opened. */
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
