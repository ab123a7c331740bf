import { formatAddress } from "../domain/address.ts";
import { OpsServer, type OpsSources } from "../observability/ops-server.ts";
import { storeHolder } from "../persistence/store-file.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { StartRefused } from "../domain/start-refused.ts";

/**
 * Serves probes, metrics and the status; undefined with `--ops-listen off`. Rejects with {@link StartRefused}, which names
 * the option, when the address can't be had. It is the first thing that a second start on one machine meets: then the
 * server that already runs is named.
 */
export async function listenOps(config: ServeConfig, sources: OpsSources): Promise<OpsServer | undefined> {
  if (config.opsListen === undefined) return undefined;
  try {
    return await OpsServer.listen(config.opsListen, sources);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const where = formatAddress({ kind: "tcp", ...config.opsListen });
    const problem = `--ops-listen: can't listen on ${where} (${code}); give another address, or off`;
    const running = code === "EADDRINUSE" ? alreadyRunning(config) : undefined;
    throw new StartRefused(running === undefined ? [problem] : [running], { cause });
  }
}

/** A sentence with the process that has the data open; undefined when there is none, or the kernel does not tell. */
function alreadyRunning({ store }: ServeConfig): string | undefined {
  if (store.kind === "memory") return undefined;
  const holder = storeHolder(store.data);
  if (holder === undefined) return undefined;
  const instead = "stop it, or give this one another --data and other addresses";
  return `a server (process ${holder}) already runs on ${store.data}; ${instead}`;
}
