import type { Bundle } from "../spiffe/bundle.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";

/** The last good bundle of a trust domain, to use in place of one that can't be used. */
export interface KeptBundle {
  readonly bundle: Bundle;
  /** The last moment at which it may be used, in milliseconds since the epoch. */
  readonly until: number;
}

/**
 * The last good bundle of each trust domain, to use in place of one that can't be read. A problem with one trust domain
 * therefore does not end the calls of its workloads immediately, and does not affect other trust domains. A kept bundle
 * expires with the SVID that was in use when the bundle was good: without updates for the whole lifetime of an SVID, it
 * is unknown which CAs are still trusted.
 */
export class KeptBundles {
  readonly #kept = new Map<string, KeptBundle>();

  /** Keeps a bundle that is good now. `until` is when the SVID in use expires, in milliseconds since the epoch. */
  keep(bundle: Bundle, until: number): void {
    this.#kept.set(bundle.trustDomain.name, { bundle, until });
  }

  /** Removes the bundles of trust domains for which `isStillGiven` returns false: trust in them was withdrawn. */
  retain(isStillGiven: (trustDomain: string) => boolean): void {
    for (const name of this.#kept.keys()) if (!isStillGiven(name)) this.#kept.delete(name);
  }

  /** The last valid bundle of a trust domain; undefined if it has expired at `now`, in milliseconds since the epoch. */
  lastValid(trustDomain: string, now: number): KeptBundle | undefined {
    const kept = this.#kept.get(trustDomain);
    return kept !== undefined && now <= kept.until ? kept : undefined;
  }
}

/** A problem of a bundle, with the consequence that the last good one is used. */
export function describeKept(problem: string, trustDomain: TrustDomain): string {
  return `${problem}; the last good bundle of ${trustDomain} stays in use`;
}

/** A problem of a bundle, with the consequence that no bundle is used in its place. */
export function describeNone(problem: string, trustDomain: TrustDomain): string {
  return `${problem}; no workload of ${trustDomain} is trusted`;
}
