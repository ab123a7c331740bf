import { Bundle } from "../spiffe/bundle.ts";
import { describeKept, describeNone, KeptBundles } from "../identity/kept-bundles.ts";
import type { X509Context } from "./x509-context.ts";

/** The bundles of other trust domains, as of one moment. */
export interface FederatedBundles {
  /** By the bare name of the trust domain. */
  readonly bundles: ReadonlyMap<string, Bundle>;
  /** What is wrong with some of them, and what follows from it. */
  readonly problems: readonly string[];
  /** When one of them is to be chosen again, in milliseconds since the epoch; undefined: none. */
  readonly until: number | undefined;
}

/** Chooses what is used as the bundle of each other trust domain, each by itself. */
export class Federation {
  readonly #kept = new KeptBundles();

  /**
   * What comes of a message at the time `now`, while our SVID is good until `validUntil`; both in milliseconds since the
   * epoch. A trust domain that the message lacks is forgotten: its absence withdraws trust (Workload API 5.2.1).
   */
  choose({ federated, unusable, ignored }: X509Context, now: number, validUntil: number): FederatedBundles {
    this.#kept.retain((name) => federated.has(name) || unusable.has(name));
    for (const bundle of federated.values()) this.#kept.keep(bundle, validUntil);
    const others = [...unusable.values()].map(({ trustDomain, problem }) => {
      const kept = this.#kept.standIn(trustDomain.name, now);
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
