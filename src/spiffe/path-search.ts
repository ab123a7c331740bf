import { isSignedBy } from "../x509/algorithms.ts";
import type { Certificate } from "../x509/certificate.ts";
import {
  commonProblem,
  describe,
  issuerProblem,
  keyProblem,
  nameProblem,
  type Problem,
  signatureProblem,
} from "./certificate-rules.ts";

/**
 * How many signatures are checked for one chain. A peer that has not shown who it is chooses the certificates; on P-521,
 * the slowest keys we accept, this many checks take about 15 ms.
 */
export const MAX_SIGNATURE_CHECKS = 16;

/**
 * Looks for a way from a leaf to an authority, over certificates that really signed one another and that keep the rules
 * of RFC 5280 6.1. Where several issuers have the same name it tries each, so that domains whose authorities share one
 * name, and authorities that changed their key, both work.
 */
export class PathSearch {
  readonly #authorities: readonly Certificate[];
  readonly #intermediates: readonly Certificate[];
  readonly #now: number;
  #checks = 0;
  #problem: Problem | undefined;

  /** `intermediates` come from the peer and are trusted in nothing. */
  constructor(authorities: readonly Certificate[], intermediates: readonly Certificate[], now: number) {
    this.#authorities = authorities;
    this.#intermediates = intermediates;
    this.#now = now;
  }

  /** From the leaf to an authority, both included; undefined when there is no such way, see {@link problem}. */
  from(leaf: Certificate): readonly Certificate[] | undefined {
    return this.#extend([leaf]);
  }

  /** Why nothing was found: the first rule that a real issuer broke, or that there was none. */
  get problem(): Problem {
    if (this.#checks > MAX_SIGNATURE_CHECKS) {
      return { reason: "too-much-work", detail: `no path was found with ${MAX_SIGNATURE_CHECKS} signature checks` };
    }
    return this.#problem ?? { reason: "untrusted", detail: "no authority in the bundle of its trust domain signed it" };
  }

  #extend(path: readonly Certificate[]): readonly Certificate[] | undefined {
    for (const issuer of this.#issuers(path)) {
      const longer = [...path, issuer];
      const complete = this.#authorities.includes(issuer);
      const problem =
        commonProblem(issuer, this.#now, describe(issuer)) ??
        issuerProblem(issuer, path) ??
        (complete ? nameProblem(longer) : undefined);
      this.#problem ??= problem;
      const found = problem === undefined && (complete ? longer : this.#extend(longer));
      if (found) return found;
    }
    return undefined;
  }

  /** Those that signed the last of the path, one by one: a signature is checked only when it is needed. */
  *#issuers(path: readonly Certificate[]): Generator<Certificate> {
    const child = path.at(-1);
    if (child === undefined) return;
    this.#problem ??= signatureProblem(child);
    for (const issuer of this.#candidates(child)) {
      const seen = path.some((certificate) => certificate.der.equals(issuer.der));
      if (!seen && this.#signed(issuer, child)) yield issuer;
    }
  }

  /** By name, the authorities first. Key identifiers are mere hints (RFC 5280 4.2.1.1): they only change the order. */
  #candidates(child: Certificate): Certificate[] {
    const named = [...this.#authorities, ...this.#intermediates].filter(({ subject }) => subject.equals(child.issuer));
    const hinted = named.filter(({ keyId }) => child.issuerKeyId && keyId?.equals(child.issuerKeyId));
    return [...new Set([...hinted, ...named])];
  }

  #signed(issuer: Certificate, child: Certificate): boolean {
    if (child.signatureAlgorithm === undefined) return false;
    this.#problem ??= keyProblem(issuer, describe(issuer));
    if (issuer.publicKey === undefined || ++this.#checks > MAX_SIGNATURE_CHECKS) return false;
    return isSignedBy(issuer.publicKey, child.signatureAlgorithm, child.signed, child.signature);
  }
}
