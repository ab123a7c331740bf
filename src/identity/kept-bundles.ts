import type { Bundle } from "../spiffe/bundle.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";

/** A bundle that stands in for one that can't be used. */
export interface KeptBundle {
  readonly bundle: Bundle;
  /** The last moment at which it may, in milliseconds since the epoch. */
  readonly until: number;
}

/**
 * The last good bundle of each trust domain. It stands in for one that can't be read, so that what is wrong with one trust
 * domain neither ends its calls at once nor touches the others; and it does so no longer than the SVID lasted that was in
 * use when it was good, since who has had no news for the whole life of an SVID does not know whom to trust.
 */
export class KeptBundles {
  readonly #kept = new Map<string, KeptBundle>();

  /** Keeps a bundle that is good now. `until` is the end of the SVID in use, in milliseconds since the epoch. */
  keep(bundle: Bundle, until: number): void {
    this.#kept.set(bundle.trustDomain.name, { bundle, until });
  }

  /** Keeps nothing of the trust domains for which `isStillGiven` is false: their trust was withdrawn. */
  retain(isStillGiven: (trustDomain: string) => boolean): void {
    for (const name of this.#kept.keys()) if (!isStillGiven(name)) this.#kept.delete(name);
  }

  /** What may stand in for the bundle of a trust domain at the time `now`, in milliseconds since the epoch. */
  standIn(trustDomain: string, now: number): KeptBundle | undefined {
    const kept = this.#kept.get(trustDomain);
    return kept !== undefined && now <= kept.until ? kept : undefined;
  }
}

/** What is wrong with a bundle, and that the last good one stands in for it. */
export function describeKept(problem: string, trustDomain: TrustDomain): string {
  return `${problem}; the last good bundle of ${trustDomain} stays in use`;
}

/** What is wrong with a bundle, and that nothing stands in for it. */
export function describeNone(problem: string, trustDomain: TrustDomain): string {
  return `${problem}; no workload of ${trustDomain} is trusted`;
}
