import type { Timers } from "../domain/timers.ts";
import { Bundle, FEDERATED_ADVICE } from "../spiffe/bundle.ts";
import { type BundleMaterial, describeBundle } from "./file-material.ts";
import { describeKept, describeNone, KeptBundles } from "./kept-bundles.ts";
import { sharedAuthorities, type Sharing } from "../spiffe/shared-authorities.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";

/** After how long without a change a file is what it is, in milliseconds: before, it may be half written. */
export const GRACE_MS = 5000;

/** What is used as the bundle of one trust domain. Each problem is a sentence about its file. */
export type ChosenBundle =
  /** What the file holds. */
  | { readonly kind: "read"; readonly bundle: Bundle }
  /** An empty one: the file stays empty, or away, which withdraws all trust. */
  | { readonly kind: "withdrawn"; readonly bundle: Bundle; readonly problem: string }
  /** The last good one: the file is absent for the moment, or wrong. */
  | { readonly kind: "kept"; readonly bundle: Bundle; readonly problem: string; readonly isWrong: boolean }
  /** An empty one: the same, and there is no good one. */
  | { readonly kind: "missing"; readonly bundle: Bundle; readonly problem: string; readonly isWrong: boolean };

/** By the bare name of the trust domain, in the order in which the files are given. */
export type ChosenBundles = ReadonlyMap<string, ChosenBundle>;

/** What is wrong with a file, and what follows from it. */
export function describeChosenBundle(choice: ChosenBundle): readonly string[] {
  if (choice.kind === "read") return [];
  const { problem, bundle } = choice;
  if (choice.kind !== "kept") return [describeNone(problem, bundle.trustDomain)];
  return [choice.isWrong ? describeKept(problem, bundle.trustDomain) : problem];
}

/**
 * Chooses what is used as the bundle of each trust domain, each by itself: what is wrong with a partner's file is no
 * reason to do without the others, nor without an SVID of our own.
 */
export class FileBundles {
  readonly #timers: Timers;
  readonly #kept = new KeptBundles();
  #hadIdentity = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** The choice at this moment. No two bundles of it hold the same authority, nor does one of it and `inUse`, our own. */
  choose(materials: readonly BundleMaterial[], inUse: Bundle | undefined): ChosenBundles {
    const chosen = new Map(materials.map((material) => [material.trustDomain.name, this.#choose(material)]));
    const bundles = () => [
      ...(inUse === undefined ? [] : [inUse]),
      ...[...chosen.values()].map(({ bundle }) => bundle),
    ];
    // What replaces a bundle may hold an authority of a third one; what is kept was chosen once, and so shares none.
    for (let refused = true; refused; ) {
      refused = sharedAuthorities(bundles())
        .map((pair) => this.#refuse(pair, materials, chosen))
        .includes(true);
    }
    return chosen;
  }

  /** An identity with these bundles is in use until `until`, in milliseconds since the epoch. */
  adopted(chosen: Iterable<ChosenBundle>, until: number): void {
    this.#hadIdentity = true;
    for (const { kind, bundle } of chosen) if (kind === "read" || kind === "withdrawn") this.#kept.keep(bundle, until);
  }

  #choose({ trustDomain, file, reading }: BundleMaterial): ChosenBundle {
    if (reading.kind === "wrong") return this.#without(trustDomain, reading.problem, true);
    const isMeant = reading.kind === "bundle";
    if (isMeant && reading.bundle.authorities.length > 0) return { kind: "read", bundle: reading.bundle };
    const problem = isMeant ? `${describeBundle(file.path, trustDomain)}, is empty` : reading.problem;
    // Before there was an identity, a file without a byte has not arrived yet, however long that takes.
    const isReal = (isMeant || this.#hadIdentity) && file.unchangedMs >= GRACE_MS;
    if (!isReal) return this.#without(trustDomain, problem, false);
    return { kind: "withdrawn", bundle: new Bundle(trustDomain, []), problem };
  }

  #without(trustDomain: TrustDomain, problem: string, isWrong: boolean): ChosenBundle {
    const kept = this.#kept.standIn(trustDomain.name, this.#timers.clock());
    if (kept !== undefined) return { kind: "kept", bundle: kept.bundle, problem, isWrong };
    return { kind: "missing", bundle: new Bundle(trustDomain, []), problem, isWrong };
  }

  /** Of two bundles with the same authority either may be the wrong one: neither is taken from its file. */
  #refuse(pair: Sharing, materials: readonly BundleMaterial[], chosen: Map<string, ChosenBundle>): boolean {
    const files = pair.map(
      ({ trustDomain }) => materials.find((one) => one.trustDomain.equals(trustDomain))?.file.path,
    );
    const [one, two] = pair.map(({ trustDomain }, index) => describeBundle(files[index] ?? "", trustDomain));
    const problem = `${one}, and ${two}, hold the same authority, which could then speak for both; ${FEDERATED_ADVICE}`;
    const read = pair.filter(({ trustDomain }) => chosen.get(trustDomain.name)?.kind === "read");
    for (const { trustDomain } of read) chosen.set(trustDomain.name, this.#without(trustDomain, problem, true));
    return read.length > 0;
  }
}
