import { formatAddress } from "../domain/address.ts";
import { OpsServer, type OpsSources } from "../observability/ops-server.ts";
import { storeHolder } from "../persistence/store-file.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { StartRefused } from "../domain/start-refused.ts";

/**
 * Serves probes, metrics and the status; undefined with `--ops-listen off`. Rejects with {@link StartRefused} when it
 * can't listen. The message names the option, or the server that already runs on the same data: a second start on one
 * machine fails here first.
 */
export async function listenOps(config: ServeConfig, sources: OpsSources): Promise<OpsServer | undefined> {
  if (config.opsListen === undefined) return undefined;
  try {
    return await OpsServer.listen(config.opsListen, sources);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const where = formatAddress({ kind: "tcp", ...config.opsListen });
    const problem = `--ops-listen: can't listen on ${where} (${code}); use another address, or off`;
    const running = code === "EADDRINUSE" ? alreadyRunning(config) : undefined;
    throw new StartRefused(running === undefined ? [problem] : [running], { cause });
  }
}

/** Names the process that has the data open; undefined if there is none, or if the kernel does not report it. */
function alreadyRunning({ store }: ServeConfig): string | undefined {
  if (store.kind === "memory") return undefined;
  const holder = storeHolder(store.data);
  if (holder === undefined) return undefined;
  const instead = "stop it, or use another --data and other addresses";
  return `a server (process ${holder}) already runs on ${store.data}; ${instead}`;
}
