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

/** The most certificates on a path, the authority in the bundle not counted; real paths have one to three. */
const MAX_PATH_CERTIFICATES = 10;

/** The most bytes of the certificates on a path, the authority in the bundle not counted. */
export const MAX_PATH_BYTES = 64 * 1024;

/** A way from a leaf to an authority over certificates that signed one another. */
export interface Path {
  /** The authority in the bundle. */
  readonly authority: Certificate;
  /** The leaf, then the intermediates, each signed by the next, the last one by the authority. */
  readonly below: readonly Certificate[];
}

/**
 * Searches a path from a leaf to an authority, over certificates that signed one another and that keep the rules of
 * RFC 5280 6.1. Where several issuers have the same name it tries each, so that trust domains whose authorities share a
 * name, and authorities that changed their key, both work.
 */
export class PathSearch {
  readonly #authorities: readonly Certificate[];
  readonly #intermediates: readonly Certificate[];
  readonly #now: number;
  #checks = 0;
  #problem: Problem | undefined;

  /** `intermediates` may come from a peer: each counts only as far as an authority vouches for it. */
  constructor(authorities: readonly Certificate[], intermediates: readonly Certificate[], now: number) {
    this.#authorities = authorities;
    this.#intermediates = intermediates;
    this.#now = now;
  }

  /** Undefined when there is no path, see {@link problem}. */
  from(leaf: Certificate): Path | undefined {
    return this.#extend([leaf]);
  }

  /** Why no path was found: the first rule that a real issuer broke; undefined when there was no such issuer. */
  get problem(): Problem | undefined {
    if (this.#checks > MAX_SIGNATURE_CHECKS) {
      return { reason: "too-much-work", detail: `no path was found with ${MAX_SIGNATURE_CHECKS} signature checks` };
    }
    return this.#problem;
  }

  #extend(below: readonly Certificate[]): Path | undefined {
    const tooLarge = sizeProblem(below);
    this.#problem ??= tooLarge;
    if (tooLarge) return undefined;
    for (const issuer of this.#issuers(below)) {
      const isComplete = this.#authorities.includes(issuer);
      const problem = this.#ownProblem(issuer, below) ?? (isComplete ? nameProblem([...below, issuer]) : undefined);
      this.#problem ??= problem;
      if (problem !== undefined) continue;
      const found = isComplete ? { authority: issuer, below } : this.#extend([...below, issuer]);
      if (found) return found;
    }
    return undefined;
  }

  /** The first rule that `issuer` breaks by itself, or by what is below it; names aside. */
  #ownProblem(issuer: Certificate, below: readonly Certificate[]): Problem | undefined {
    return commonProblem(issuer, this.#now, describe(issuer)) ?? issuerProblem(issuer, below);
  }

  /** Those that signed the last one of `below`, one by one: a signature is checked only when it is needed. */
  *#issuers(below: readonly Certificate[]): Generator<Certificate> {
    const child = below.at(-1);
    if (child === undefined) return;
    this.#problem ??= signatureProblem(child);
    for (const issuer of this.#candidates(child, below)) {
      const seen = below.some((certificate) => certificate.der.equals(issuer.der));
      if (!seen && this.#signed(issuer, child)) yield issuer;
    }
  }

  /**
   * By name. Key identifiers are mere hints (RFC 5280 4.2.1.1): they only change the order. So does what is wrong with a
   * certificate: in this order the first candidate is the one that OpenSSL takes, and certificates that a peer adds to a
   * chain that OpenSSL accepts do not use up the signature checks. As for OpenSSL, a certificate without a key identifier
   * contradicts none, so that an authority without one comes before certificates that a peer has given its identifier.
   */
  #candidates(child: Certificate, below: readonly Certificate[]): Set<Certificate> {
    const named = [...this.#authorities, ...this.#intermediates].filter(({ subject }) => subject.equals(child.issuer));
    const hinted = named.filter(({ keyId }) => !child.issuerKeyId || !keyId || keyId.equals(child.issuerKeyId));
    const sound = (issuer: Certificate) => this.#ownProblem(issuer, below) === undefined;
    return new Set([...hinted.filter(sound), ...hinted, ...named.filter(sound), ...named]);
  }

  #signed(issuer: Certificate, child: Certificate): boolean {
    const { signatureAlgorithm } = child;
    if (signatureAlgorithm === undefined) return false;
    this.#problem ??= keyProblem(issuer, describe(issuer));
    // A key of another kind can't have signed it. OpenSSL passes over it as well, so it must not count as a check.
    if (issuer.publicKey?.kind !== signatureAlgorithm.kind || ++this.#checks > MAX_SIGNATURE_CHECKS) return false;
    return isSignedBy(issuer.publicKey, signatureAlgorithm, child.signed, child.signature);
  }
}

/** Bounds what a search costs. Counted without the authority, whose size is the operator's choice. */
function sizeProblem(below: readonly Certificate[]): Problem | undefined {
  if (below.length > MAX_PATH_CERTIFICATES) {
    return { reason: "chain-too-long", detail: `the path has more than ${MAX_PATH_CERTIFICATES} certificates` };
  }
  const bytes = below.reduce((sum, { der }) => sum + der.length, 0);
  if (bytes <= MAX_PATH_BYTES) return undefined;
  return { reason: "chain-too-large", detail: `the certificates of the path have ${bytes} bytes` };
}
