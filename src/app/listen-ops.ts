import { formatAddress } from "../domain/address.ts";
import { type OpsAddress, OpsServer, type OpsSources } from "../observability/ops-server.ts";
import { StartRefused } from "./start-refused.ts";

/**
 * Serves probes, metrics and the status; undefined when `address` is, for `--ops-listen off`. Rejects with
 * {@link StartRefused}, which names the option, when the address can't be had.
 */
export async function listenOps(address: OpsAddress | undefined, sources: OpsSources): Promise<OpsServer | undefined> {
  if (address === undefined) return undefined;
  try {
    return await OpsServer.listen(address, sources);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const where = formatAddress({ kind: "tcp", ...address });
    throw new StartRefused([`--ops-listen: can't listen on ${where} (${code}); give another address, or off`], {
      cause,
    });
  }
}
