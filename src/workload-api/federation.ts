import { Bundle } from "../spiffe/bundle.ts";
import { describeKept, describeNone, KeptBundles } from "../identity/kept-bundles.ts";
import type { X509Context } from "./x509-context.ts";

/** The bundles of other trust domains at one moment. */
export interface FederatedBundles {
  /** By the bare name of the trust domain. */
  readonly bundles: ReadonlyMap<string, Bundle>;
  /** Problems of some of them, with their consequences. */
  readonly problems: readonly string[];
  /**
   * When a kept bundle expires and the choice must be repeated, in milliseconds since the epoch; undefined if there is
   * none.
   */
  readonly until: number | undefined;
}

/** Chooses the bundle to use for each other trust domain, independently of the others. */
export class Federation {
  readonly #kept = new KeptBundles();

  /**
   * The choice for a message at the time `now`. `validUntil` is when this process's SVID expires. Both are in milliseconds
   * since the epoch. A trust domain that is not in the message is removed: its absence withdraws trust (Workload API
   * 5.2.1).
   */
  choose({ federated, unusable, ignored }: X509Context, now: number, validUntil: number): FederatedBundles {
    this.#kept.retain((name) => federated.has(name) || unusable.has(name));
    for (const bundle of federated.values()) this.#kept.keep(bundle, validUntil);
    const others = [...unusable.values()].map(({ trustDomain, problem }) => {
      const kept = this.#kept.lastValid(trustDomain.name, now);
      if (kept === undefined) {
        return { bundle: new Bundle(trustDomain, []), problem: describeNone(problem, trustDomain), until: [] };
      }
      return { bundle: kept.bundle, problem: describeKept(problem, trustDomain), until: [kept.until] };
    });
    const ends = others.flatMap(({ until }) => until);
    return {
      bundles: new Map([...federated, ...others.map(({ bundle }) => [bundle.trustDomain.name, bundle] as const)]),
      problems: [...ignored.map((problem) => `${problem}; it is ignored`), ...others.map(({ problem }) => problem)],
      until: ends.length === 0 ? undefined : Math.min(...ends),
    };
  }
}
