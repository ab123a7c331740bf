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
 * The maximum number of signatures that are checked in one search. An unauthenticated peer chooses the certificates.
 * With P-521, the slowest keys that are accepted, this many checks take about 15 ms. A handshake can need two searches:
 * through the known intermediates, then through the certificates that the peer sent.
 */
export const MAX_SIGNATURE_CHECKS = 16;

/** The maximum number of certificates on a path, without the CA in the bundle. Real paths have one to three. */
const MAX_PATH_CERTIFICATES = 10;

/** The maximum size of the certificates on a path in bytes, without the CA in the bundle. */
export const MAX_PATH_BYTES = 64 * 1024;

/** A certification path from a leaf to a CA. */
export interface Path {
  /** The CA in the bundle. */
  readonly authority: Certificate;
  /** The leaf, then the intermediates. Each is signed by the next, the last one by the CA. */
  readonly below: readonly Certificate[];
}

/**
 * Searches for a path from a leaf to a CA that satisfies the rules of RFC 5280 6.1. If several issuers have the same
 * name, it tries each of them. This supports trust domains whose CAs have the same name, and CAs that changed their
 * key.
 */
export class PathSearch {
  readonly #authorities: readonly Certificate[];
  readonly #intermediates: readonly Certificate[];
  readonly #now: number;
  #checks = 0;
  #problem: Problem | undefined;

  /** `intermediates` may come from a peer: each is used only on a path that ends at one of `authorities`. */
  constructor(authorities: readonly Certificate[], intermediates: readonly Certificate[], now: number) {
    this.#authorities = authorities;
    this.#intermediates = intermediates;
    this.#now = now;
  }

  /** The path from `leaf`. Undefined if there is none, see {@link problem}. */
  from(leaf: Certificate): Path | undefined {
    return this.#extend([leaf]);
  }

  /**
   * Why no path was found: the first rule that the search found violated. Undefined if it found none, because an issuer
   * is missing.
   */
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

  /** The first rule that `issuer` violates, alone or together with the path below it. Does not check names. */
  #ownProblem(issuer: Certificate, below: readonly Certificate[]): Problem | undefined {
    return commonProblem(issuer, this.#now, describe(issuer)) ?? issuerProblem(issuer, below);
  }

  /**
   * The certificates that signed the last one of `below`. A generator, so that each signature is checked only when
   * needed.
   */
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
   * The certificates with the name of the issuer of `child`. Key identifiers are only hints (RFC 5280 4.2.1.1), so one
   * that differs changes only the order of the candidates. A rule that a candidate violates also changes only the
   * order. In this order, the first candidate is the one that OpenSSL selects. Therefore certificates that a peer adds
   * to a chain that OpenSSL accepts do not use up the signature checks. As in OpenSSL, a certificate without a key
   * identifier counts as a match. So a CA without one comes before certificates to which a peer gave the identifier
   * that `child` names.
   */
  #candidates(child: Certificate, below: readonly Certificate[]): Set<Certificate> {
    const named = [...this.#authorities, ...this.#intermediates].filter(({ subject }) => subject.equals(child.issuer));
    const hinted = named.filter(({ keyId }) => !child.issuerKeyId || !keyId || keyId.equals(child.issuerKeyId));
    const isValid = (issuer: Certificate) => this.#ownProblem(issuer, below) === undefined;
    return new Set([...hinted.filter(isValid), ...hinted, ...named.filter(isValid), ...named]);
  }

  #signed(issuer: Certificate, child: Certificate): boolean {
    const { signatureAlgorithm } = child;
    if (signatureAlgorithm === undefined) return false;
    this.#problem ??= keyProblem(issuer, describe(issuer));
    // A key of another kind can't have signed it. OpenSSL skips it as well, so it must not count as a check.
    if (issuer.publicKey?.kind !== signatureAlgorithm.kind || ++this.#checks > MAX_SIGNATURE_CHECKS) return false;
    return isSignedBy(issuer.publicKey, signatureAlgorithm, child.signed, child.signature);
  }
}

/** Bounds the cost of a search. Does not count the CA, whose size the operator chooses. */
function sizeProblem(below: readonly Certificate[]): Problem | undefined {
  if (below.length > MAX_PATH_CERTIFICATES) {
    return { reason: "chain-too-long", detail: `the path has more than ${MAX_PATH_CERTIFICATES} certificates` };
  }
  const bytes = below.reduce((sum, { der }) => sum + der.length, 0);
  if (bytes <= MAX_PATH_BYTES) return undefined;
  return { reason: "chain-too-large", detail: `the certificates of the path have ${bytes} bytes` };
}
