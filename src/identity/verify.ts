import type { Bundle } from "./bundle.ts";
import type { Certificate } from "./certificate.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { SvidRefused } from "./svid-refused.ts";

/** What the peer shows its certificate for: "client" when it called us, "server" when we called it. */
export type Purpose = "client" | "server";

/** A peer whose identity is proven. */
export interface VerifiedSvid {
  readonly id: SpiffeId;
  /** Until when the proof holds: the earliest notAfter on the path, in milliseconds since the epoch. */
  readonly validUntil: number;
  /** From the leaf to the authority in the bundle. */
  readonly path: readonly Certificate[];
}

/**
 * Decides whether `chain`, the certificates in DER as the peer sent them, is the X.509-SVID of somebody in one of
 * `bundles` (by the bare name of the trust domain) at the time `now`, in milliseconds since the epoch. Pure and
 * synchronous. Throws {@link SvidRefused}. That the peer holds the leaf's private key is for the TLS handshake to show.
 */
export function verifySvid(
  chain: readonly Uint8Array[],
  bundles: ReadonlyMap<string, Bundle>,
  now: number,
  purpose: Purpose,
): VerifiedSvid {
  throw new SvidRefused("no-bundle", `not ready for ${chain.length} ${bundles.size} ${now} ${purpose}`);
}
