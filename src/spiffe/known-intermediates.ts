import type { Bundle } from "./bundle.ts";
import type { Certificate } from "../x509/certificate.ts";

/** The most intermediates that are kept of one trust domain; parsed, each takes some 12 kB. */
export const MAX_KNOWN_INTERMEDIATES = 500;

/**
 * Intermediates that were on a verified path, so that later leaves below them are verified without their chains. Each
 * trust domain has a set of its own, tied to one state of its bundle: an intermediate vouches for nobody in another trust
 * domain, nor after its own bundle has changed. A search over them applies every rule again, so being in this set grants
 * nothing by itself.
 */
export class KnownIntermediates {
  readonly #domains = new Map<string, Domain>();

  /** Drops the intermediates of each trust domain whose bundle is gone or has changed. */
  follow(bundles: ReadonlyMap<string, Bundle>): void {
    for (const [name, { bundle }] of this.#domains) if (!bundles.get(name)?.equals(bundle)) this.#domains.delete(name);
  }

  /** Those of the bundle's trust domain that have not expired, the one that was used last first. */
  of(bundle: Bundle, now: number): readonly Certificate[] {
    const { certificates } = this.#domain(bundle);
    for (const [key, { notAfter }] of certificates) if (now > notAfter) certificates.delete(key);
    return [...certificates.values()].reverse();
  }

  /** Adds intermediates of a verified path, or notes that they were used. The least recently used make way. */
  add(bundle: Bundle, intermediates: readonly Certificate[]): void {
    const { certificates } = this.#domain(bundle);
    for (const intermediate of intermediates) {
      const key = intermediate.der.toString("latin1");
      certificates.delete(key);
      certificates.set(key, intermediate);
    }
    for (const key of certificates.keys()) {
      if (certificates.size <= MAX_KNOWN_INTERMEDIATES) return;
      certificates.delete(key);
    }
  }

  #domain(bundle: Bundle): Domain {
    const { name } = bundle.trustDomain;
    const domain = this.#domains.get(name);
    if (domain !== undefined && (domain.bundle === bundle || domain.bundle.equals(bundle))) return domain;
    const fresh = { bundle, certificates: new Map() };
    this.#domains.set(name, fresh);
    return fresh;
  }
}

interface Domain {
  readonly bundle: Bundle;
  /** Keyed by their bytes, the least recently used first. */
  readonly certificates: Map<string, Certificate>;
}
