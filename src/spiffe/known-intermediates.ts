import type { Bundle } from "./bundle.ts";
import type { Certificate } from "../x509/certificate.ts";

/** The maximum number of intermediates stored for one trust domain. Each takes about 12 kB when parsed. */
export const MAX_KNOWN_INTERMEDIATES = 500;

/**
 * Intermediates from verified paths. With them, later leaves below the same intermediates are verified without reading
 * their chains. Each trust domain has its own set, which is valid for one state of its bundle: an intermediate is used
 * neither for another trust domain nor after its own bundle has changed. A search over them applies every rule again,
 * so an entry in this set alone proves nothing.
 */
export class KnownIntermediates {
  readonly #domains = new Map<string, Domain>();

  /** Removes the intermediates of each trust domain whose bundle was removed or has changed. */
  follow(bundles: ReadonlyMap<string, Bundle>): void {
    for (const [name, { bundle }] of this.#domains) if (!bundles.get(name)?.equals(bundle)) this.#domains.delete(name);
  }

  /** The intermediates of the bundle's trust domain that have not expired, the most recently used first. */
  of(bundle: Bundle, now: number): readonly Certificate[] {
    const { certificates } = this.#domain(bundle);
    for (const [key, { notAfter }] of certificates) if (now > notAfter) certificates.delete(key);
    return [...certificates.values()].reverse();
  }

  /** Adds intermediates of a verified path, or marks them as used. Removes the least recently used above the limit. */
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
  /** Keyed by their DER, the least recently used first. */
  readonly certificates: Map<string, Certificate>;
}
