import type { Timers } from "../domain/timers.ts";
import { Bundle, FEDERATED_ADVICE } from "../spiffe/bundle.ts";
import { type BundleMaterial, describeBundle } from "./file-material.ts";
import { describeKept, describeNone, KeptBundles } from "./kept-bundles.ts";
import { sharedAuthorities, type Sharing } from "../spiffe/shared-authorities.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";

/** How long a file must be unchanged to be final, in milliseconds. Before that, it may be half written. */
export const GRACE_MS = 5000;

/** The bundle to use for one trust domain. Each problem is a sentence about its file. */
export type ChosenBundle =
  /** The contents of the file. */
  | { readonly kind: "read"; readonly bundle: Bundle }
  /** An empty bundle: the file remained empty or absent, which withdraws all trust in the trust domain. */
  | { readonly kind: "withdrawn"; readonly bundle: Bundle; readonly problem: string }
  /** The last good bundle: the file is temporarily absent, or wrong. */
  | { readonly kind: "kept"; readonly bundle: Bundle; readonly problem: string; readonly isWrong: boolean }
  /** An empty bundle: the file is absent or wrong, and there is no last good one. */
  | { readonly kind: "missing"; readonly bundle: Bundle; readonly problem: string; readonly isWrong: boolean };

/** By the bare name of the trust domain, in the order in which the files are given. */
export type ChosenBundles = ReadonlyMap<string, ChosenBundle>;

/** The problem of a file and its consequence, as sentences for the log; empty if the file was read. */
export function describeChosenBundle(choice: ChosenBundle): readonly string[] {
  if (choice.kind === "read") return [];
  const { problem, bundle } = choice;
  if (choice.kind !== "kept") return [describeNone(problem, bundle.trustDomain)];
  return [choice.isWrong ? describeKept(problem, bundle.trustDomain) : problem];
}

/**
 * Chooses the bundle to use for each trust domain, independently of the others: a problem with the file of a federated
 * trust domain affects neither the other bundles nor this process's own SVID.
 */
export class FileBundles {
  readonly #timers: Timers;
  readonly #kept = new KeptBundles();
  #hadIdentity = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /**
   * Chooses from the current contents of the files. No two of the chosen bundles contain the same CA, and none shares a
   * CA with `inUse`, the bundle in use of this process's trust domain.
   */
  choose(materials: readonly BundleMaterial[], inUse: Bundle | undefined): ChosenBundles {
    const chosen = new Map(materials.map((material) => [material.trustDomain.name, this.#choose(material)]));
    const bundles = () => [
      ...(inUse === undefined ? [] : [inUse]),
      ...[...chosen.values()].map(({ bundle }) => bundle),
    ];
    // Repeated, because a bundle that replaces a refused one can share a CA with a third one. The loop ends, because
    // only a choice of the kind "read" can be refused, and the choice that replaces it is of another kind.
    for (let refused = true; refused; ) {
      refused = sharedAuthorities(bundles())
        .map((pair) => this.#refuse(pair, materials, chosen))
        .includes(true);
    }
    return chosen;
  }

  /**
   * Records that an identity with these bundles is in use. `until`: when it expires, in milliseconds since the epoch.
   */
  adopted(chosen: Iterable<ChosenBundle>, until: number): void {
    this.#hadIdentity = true;
    for (const { kind, bundle } of chosen) if (kind === "read" || kind === "withdrawn") this.#kept.keep(bundle, until);
  }

  #choose({ trustDomain, file, reading }: BundleMaterial): ChosenBundle {
    if (reading.kind === "wrong") return this.#without(trustDomain, reading.problem, true);
    const isExplicit = reading.kind === "bundle";
    if (isExplicit && reading.bundle.authorities.length > 0) return { kind: "read", bundle: reading.bundle };
    const problem = isExplicit ? `${describeBundle(file.path, trustDomain)}, is empty` : reading.problem;
    // Before the first identity, an absent file, or one of zero bytes, counts as not written yet, for any length of
    // time.
    const isFinal = (isExplicit || this.#hadIdentity) && file.unchangedMs >= GRACE_MS;
    if (!isFinal) return this.#without(trustDomain, problem, false);
    return { kind: "withdrawn", bundle: new Bundle(trustDomain, []), problem };
  }

  #without(trustDomain: TrustDomain, problem: string, isWrong: boolean): ChosenBundle {
    const kept = this.#kept.lastValid(trustDomain.name, this.#timers.clock());
    if (kept !== undefined) return { kind: "kept", bundle: kept.bundle, problem, isWrong };
    return { kind: "missing", bundle: new Bundle(trustDomain, []), problem, isWrong };
  }

  /** Refuses both files whose bundles contain the same CA, because either of them may be the wrong one. */
  #refuse(pair: Sharing, materials: readonly BundleMaterial[], chosen: Map<string, ChosenBundle>): boolean {
    const files = pair.map(
      ({ trustDomain }) => materials.find((one) => one.trustDomain.equals(trustDomain))?.file.path,
    );
    const [one, two] = pair.map(({ trustDomain }, index) => describeBundle(files[index] ?? "", trustDomain));
    const problem = `${one}, and ${two}, contain the same CA, which could then issue SVIDs for both; ${FEDERATED_ADVICE}`;
    const read = pair.filter(({ trustDomain }) => chosen.get(trustDomain.name)?.kind === "read");
    for (const { trustDomain } of read) chosen.set(trustDomain.name, this.#without(trustDomain, problem, true));
    return read.length > 0;
  }
}
