import type { SecureContextOptions } from "node:tls";
import type { Bundle } from "./bundle.ts";
import { certificatePem } from "../x509/pem.ts";

/**
 * The CAs of all bundles as trust anchors for OpenSSL, which accepts a path to any of them, self-signed or not. OpenSSL
 * can't distinguish trust domains, so its verdict is used only to refuse a chain, never to accept one.
 */
export function anchorsOf(
  bundles: ReadonlyMap<string, Bundle>,
): Pick<SecureContextOptions, "ca" | "allowPartialTrustChain"> {
  const authorities = [...bundles.values()].flatMap((bundle) => bundle.authorities.map(({ der }) => der));
  // `ca` must be present even if it is empty: without it, Node trusts its default CAs.
  return { ca: authorities.length === 0 ? [] : certificatePem(authorities), allowPartialTrustChain: true };
}
