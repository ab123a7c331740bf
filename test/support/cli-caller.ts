import { join } from "node:path";
import { formatAddress } from "../../src/domain/address.ts";
import { PATIENCE_MS } from "./patience.ts";
import type { ServerKit } from "./server-kit.ts";

/** The variable with the timeout of calls. A machine under load can need the default of ten seconds. */
export const PATIENT = { COFFER_TIMEOUT: `${PATIENCE_MS}ms` };

/** The variables with which a command calls the kit's server as `id`, with files in the kit's folder. */
export function callerVariables(kit: ServerKit, id: string, name: string): Record<string, string> {
  const { cert, key } = kit.writeCredential(kit.issue({ id }), name);
  return {
    COFFER_ADDR: formatAddress(kit.address),
    COFFER_CERT: cert,
    COFFER_KEY: key,
    COFFER_BUNDLE: join(kit.folder, "bundle.pem"),
    COFFER_SERVER_ID: "spiffe://example.org/coffer",
    ...PATIENT,
  };
}
