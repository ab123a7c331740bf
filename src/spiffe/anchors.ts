import type { SecureContextOptions } from "node:tls";
import type { Bundle } from "./bundle.ts";
import { certificatePem } from "../x509/pem.ts";

/**
 * The authorities of all bundles, for OpenSSL, which takes any of them as the end of a chain, self-signed or not. It can't
 * keep trust domains apart, so its verdict can only refuse.
 */
export function anchorsOf(
  bundles: ReadonlyMap<string, Bundle>,
): Pick<SecureContextOptions, "ca" | "allowPartialTrustChain"> {
  const authorities = [...bundles.values()].flatMap((bundle) => bundle.authorities.map(({ der }) => der));
  // Never left out, not even when it is empty: Node would then trust the authorities of the machine.
  return { ca: authorities.length === 0 ? [] : certificatePem(authorities), allowPartialTrustChain: true };
}
