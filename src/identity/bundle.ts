import type { Certificate } from "./certificate.ts";
import type { TrustDomain } from "./trust-domain.ts";

/** The authorities of one trust domain: whoever one of them signed belongs to it (SPIFFE Trust Domain and Bundle 3). */
export interface Bundle {
  readonly trustDomain: TrustDomain;
  /** May be empty: then nobody of that trust domain is trusted. May hold expired ones, which vouch for nobody. */
  readonly authorities: readonly Certificate[];
}
